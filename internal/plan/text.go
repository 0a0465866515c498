package plan

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// maxFileSize bounds a plan file and a numbers file. It is some 500,000 numbers.
const maxFileSize = 10 << 20

// maxValues bounds how many values a plan file may hold. What a file costs is
// decided by its values, not its bytes: the parser takes up to half a kilobyte for
// each, so that 10 MiB of question marks would take 2.5 GB. With the bound no file
// costs more than a plan of 10 MiB full of numbers does, some 400 MB while it is
// read.
const maxValues = 600_000

// byteOrderMark is what some Windows editors put before UTF-8 text.
const byteOrderMark = "\ufeff"

// readText checks that a file is text that YAML can be read from, and returns it
// without its byte order mark. A file that is too big or is no text gets that
// one fault and is not read on; tabs in the indentation are all reported.
func (r *reader) readText(data []byte) ([]byte, bool) {
	if len(data) > maxFileSize {
		r.faultAt(1, 1, "file", "is bigger than 10 MiB", "split it into several files in one folder")
		return nil, false
	}
	data = bytes.TrimPrefix(data, []byte(byteOrderMark))
	if !r.checkCharacters(data, "in YAML") {
		return nil, false
	}
	if countValues(data) > maxValues {
		r.faultAt(1, 1, "file", fmt.Sprintf("holds more than %d values", maxValues),
			"split it into several files in one folder, or put the numbers into a numbers_file")
		return nil, false
	}
	if !r.checkDirectives(data) {
		return nil, false
	}
	r.checkIndentation(data)
	return data, true
}

// countValues counts what may begin a value in YAML: commas, opening brackets,
// and dashes, colons and question marks with white space after them. There are
// about as many values, up to three times as many in odd files.
func countValues(data []byte) int {
	n := 0
	for i, char := range data {
		switch char {
		case ',', '[', '{':
			n++
		case '-', ':', '?':
			// Past ASCII there are line ends too.
			if i+1 == len(data) || data[i+1] <= ' ' || data[i+1] >= utf8.RuneSelf {
				n++
			}
		}
	}
	return n
}

// checkDirectives reports the first directive %TAG. The parser compares each with
// all before it, so that a file of them would keep it busy for hours.
func (r *reader) checkDirectives(data []byte) bool {
	line := 0
	for text := range bytes.Lines(data) {
		line++
		if bytes.HasPrefix(text, []byte("%TAG")) {
			r.faultAt(line, 1, "directive %TAG", "a plan has no use for YAML tags", "delete the line; nothing else in this file was checked")
			return false
		}
	}
	return true
}

// checkCharacters reports the first character that has no place in YAML, nor in
// a list of numbers.
func (r *reader) checkCharacters(data []byte, where string) bool {
	line, column := 1, 1
	for len(data) > 0 {
		char, size := utf8.DecodeRune(data)
		switch {
		case char == utf8.RuneError && size == 1:
			r.faultAt(line, column, fmt.Sprintf("byte 0x%02X", data[0]), "is not UTF-8 text", "save the file as UTF-8")
			return false
		case !isPrintable(char):
			r.faultAt(line, column, fmt.Sprintf("character %U", char), "is not allowed "+where,
				"delete it; if the file is full of them, save it as UTF-8")
			return false
		case char == '\n':
			line, column = line+1, 1
		default:
			column++
		}
		data = data[size:]
	}
	return true
}

// checkIndentation reports each line that is indented with a tab.
func (r *reader) checkIndentation(data []byte) {
	line := 0
	for text := range bytes.Lines(data) {
		line++
		content := bytes.TrimLeft(text, " \t")
		indent := text[:len(text)-len(content)]
		tab := bytes.IndexByte(indent, '\t')
		if tab < 0 || len(bytes.TrimSpace(content)) == 0 {
			continue
		}
		r.tabs = true
		r.faultAt(line, tab+1, "tab", "YAML does not take tabs for indentation", "use spaces")
	}
}

// isPrintable reports whether YAML 1.1 takes the character in its source, see
// https://yaml.org/spec/1.1/#c-printable.
func isPrintable(char rune) bool {
	switch {
	case char == '\t', char == '\n', char == '\r', char == 0x85:
		return true
	case char < ' ', char >= 0x7f && char < 0xa0:
		return false
	case char == 0xfeff, char == 0xfffe, char == 0xffff:
		return false
	}
	return true
}

package plan

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// maxFileSize bounds a plan file and a numbers file. It is enough for about 500,000
// numbers.
const maxFileSize = 10 << 20

// maxValues bounds the values of a plan file. Memory depends on values, not on bytes:
// the parser takes up to half a kilobyte for each, so 10 MiB of question marks would
// take 2.5 GB. With this bound no file needs more than a 10 MiB plan full of numbers
// does, about 400 MB while it is read.
const maxValues = 600_000

// byteOrderMark is what some Windows editors put before UTF-8 text.
const byteOrderMark = "\ufeff"

// readText checks that a file is text that the YAML parser may read, and returns it
// without its byte order mark. A file that is too large or not text gets one fault and
// is not read further.
func (r *reader) readText(data []byte) ([]byte, bool) {
	if len(data) > maxFileSize {
		r.faultAt(1, 1, "file", "is larger than 10 MiB", "split it into several files in one folder")
		return nil, false
	}
	data = bytes.TrimPrefix(data, []byte(byteOrderMark))
	if !r.checkCharacters(data, "in YAML") {
		return nil, false
	}
	if countValues(data) > maxValues {
		r.faultAt(1, 1, "file", fmt.Sprintf("contains more than %d values", maxValues),
			"split it into several files in one folder, or move the numbers to a numbers_file")
		return nil, false
	}
	return data, r.checkLines(data)
}

// countValues counts what may start a value in YAML: commas, opening brackets, and
// dashes, colons and question marks before white space. The parser finds about as many
// values, in unusual files up to three times as many.
func countValues(data []byte) int {
	n := 0
	for i, char := range data {
		switch char {
		case ',', '[', '{':
			n++
		case '-', ':', '?':
			// Line ends beyond ASCII count too.
			if i+1 == len(data) || data[i+1] <= ' ' || data[i+1] >= utf8.RuneSelf {
				n++
			}
		}
	}
	return n
}

// checkLines reports every line that is indented with a tab, and the first directive
// %TAG. The parser compares each directive with all earlier ones, so a file of them
// would keep it busy for hours; it must not be parsed.
func (r *reader) checkLines(data []byte) bool {
	line := 0
	for text := range bytes.Lines(data) {
		line++
		if bytes.HasPrefix(text, []byte("%TAG")) {
			r.faultAt(line, 1, "directive %TAG", "plans do not use YAML tags", "delete the line; the rest of this file was not checked")
			return false
		}
		content := bytes.TrimLeft(text, " \t")
		tab := bytes.IndexByte(text[:len(text)-len(content)], '\t')
		if tab >= 0 && len(bytes.TrimSpace(content)) > 0 {
			r.tabs = true
			r.faultAt(line, tab+1, "tab", "YAML does not allow tabs for indentation", "use spaces")
		}
	}
	return true
}

// checkCharacters reports the first character that neither YAML nor a list of numbers
// allows.
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
				"delete it, or save the file as UTF-8 if there are many")
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

// isPrintable reports whether YAML 1.1 allows the character, see
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

package plan

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// maxFileSize bounds a plan file. It is some 600,000 numbers, and keeps what a
// hostile file can cost to about a gigabyte and a few seconds.
const maxFileSize = 10 << 20

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
	if !r.checkCharacters(data) {
		return nil, false
	}
	r.checkIndentation(data)
	return data, true
}

// checkCharacters reports the first character that has no place in YAML.
func (r *reader) checkCharacters(data []byte) bool {
	line, column := 1, 1
	for len(data) > 0 {
		char, size := utf8.DecodeRune(data)
		switch {
		case char == utf8.RuneError && size == 1:
			r.faultAt(line, column, fmt.Sprintf("byte 0x%02X", data[0]), "is not UTF-8 text", "save the file as UTF-8")
			return false
		case !isPrintable(char):
			r.faultAt(line, column, fmt.Sprintf("character %U", char), "is not allowed in YAML",
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

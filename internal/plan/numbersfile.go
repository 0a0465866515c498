package plan

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	yaml3 "github.com/oasdiff/yaml3"
)

// A numbers_file is a plain list or a table:
//
//	plain list   one number per line; blank lines and text after # are ignored
//	CSV          a header, then rows; cells separated by commas, semicolons or tabs
//
// It is a table if its name ends in .csv, if the first line has one of the three
// separators, if that line is a known name for a column of numbers, or if the plan sets
// numbers_column. A .csv file that starts with a number and has one column is a plain
// list. Only blank rows of a table are skipped. Any other row that cannot be read is a
// fault, since a number that is left out silently would be missed on approval day.

// columnNames are the known headers of the column of numbers, without letter case and
// separators.
var columnNames = []string{
	"phonenumber", "phonenumbers", "number", "numbers", "phone", "phones", "e164", "e164number", "msisdn",
	"telephone", "telephonenumber", "tel", "mobile", "mobilenumber", "longcode", "tn", "did",
}

// drivePath is the beginning of an absolute path on Windows.
var drivePath = regexp.MustCompile(`^[A-Za-z]:`)

// checkPath refuses a path that leaves the plan's folder or means something else on
// another machine.
func checkPath(text string) *refusal {
	extension := strings.ToLower(path.Ext(text))
	switch {
	case strings.Contains(text, `\`):
		return &refusal{"has backslashes, which are not separators on every system", "use slashes, for example numbers/spring.csv"}
	case strings.HasPrefix(text, "/"), drivePath.MatchString(text):
		return &refusal{"is an absolute path, but a plan opens only files in its own folder", "put the file there and write a path like numbers/spring.csv"}
	case slices.Contains(strings.Split(text, "/"), ".."):
		return &refusal{"leaves the plan's folder, but a plan opens only files in it", "put the file in the plan's folder or below it"}
	case extension == ".yaml", extension == ".yml":
		return &refusal{"is named like a plan and would be read as one", "rename it to *.csv or *.txt"}
	}
	return nil
}

// readNumbersFile adds the numbers of the numbers_file to an entry.
func (r *reader) readNumbersFile(e *entry, keys mapping) {
	file, hasFile := keys["numbers_file"]
	column, hasColumn := keys["numbers_column"]
	if hasColumn {
		if _, ok := r.readString(column.value, "numbers_column"); !ok {
			column.value = nil
		}
	}
	if hasColumn && !hasFile {
		r.fault(column.key, "numbers_column", "is only used with numbers_file", "add numbers_file, or delete the line")
	}
	if !hasFile {
		return
	}
	name, ok := r.readString(file.value, "numbers_file")
	if !ok {
		return
	}
	shown, data, refused := r.openNumbers(name, r.position(file.value))
	if refused != nil {
		r.fault(file.value, fmt.Sprintf("numbers_file %q", clip(name)), refused.why, refused.fix)
		return
	}
	l := numberList{reader: reader{file: shown, faults: r.faults}, plan: r, entry: e, column: column.value}
	l.read(data)
}

// openNumbers opens a numbers_file that the plan names at the given position.
func (r *reader) openNumbers(name string, at Position) (file string, data []byte, refused *refusal) {
	if refused := checkPath(name); refused != nil {
		return "", nil, refused
	}
	if r.open == nil {
		return "", nil, &refusal{"cannot be read, because the plan was loaded without its folder", "load the plan from its file, or list the numbers under numbers"}
	}
	return r.open(name, at)
}

// numberList reads one numbers file.
type numberList struct {
	reader // of the numbers file, for its faults and positions
	plan   *reader
	entry  *entry
	// column is the value of numbers_column, nil if the plan does not have it.
	column *yaml3.Node
	// data is the file without the comments that it starts with, which are skipped
	// lines. lines are the offsets of the lines in data.
	data    []byte
	skipped int
	lines   []int
}

// read reads a whole file.
func (l *numberList) read(data []byte) {
	if len(data) > maxFileSize {
		l.faultAt(1, 1, "file", "is larger than 10 MiB", "delete the columns that are not needed")
		return
	}
	data = bytes.TrimPrefix(data, []byte(byteOrderMark))
	if !l.checkCharacters(data, "in a list of numbers") {
		return
	}
	l.data = data
	before := l.entry.listed
	if complete := l.readRows(); complete && l.entry.listed == before {
		l.faultAt(1, 1, "file", "contains no numbers", "add numbers, or remove numbers_file from the plan")
	}
}

// readRows reads the file as a list or a table. It is not complete if a fault kept rows
// from being read.
func (l *numberList) readRows() (complete bool) {
	isCSV := strings.EqualFold(path.Ext(l.file), ".csv")
	if !isCSV {
		l.skipComments()
	}
	first, _, _ := bytes.Cut(bytes.TrimLeft(l.data, "\r\n"), []byte("\n"))
	header := string(bytes.TrimSpace(first))
	separator := separatorOf(header)
	switch {
	case l.column != nil:
	case separator != 0:
	case looksLikeNumber(header), !isCSV && !isColumnOfNumbers(header):
		l.readPlain()
		return true
	}
	if separator == 0 {
		separator = ','
	}
	return l.readTable(separator)
}

// skipComments skips the blank lines and comments that a file starts with.
func (l *numberList) skipComments() {
	for len(l.data) > 0 {
		line, rest, _ := bytes.Cut(l.data, []byte("\n"))
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' {
			return
		}
		l.data = rest
		l.skipped++
	}
}

// separatorOf returns the most frequent separator in a header, or 0.
func separatorOf(header string) rune {
	most, separator := 0, rune(0)
	for _, candidate := range ",;\t" {
		if n := strings.Count(header, string(candidate)); n > most {
			most, separator = n, candidate
		}
	}
	return separator
}

// comment matches a # at the start of a line or after a space, and the text after it.
var comment = regexp.MustCompile(`(^|[ \t])#.*`)

// readPlain reads a list of one number per line.
func (l *numberList) readPlain() {
	line := l.skipped
	for text := range strings.Lines(string(l.data)) {
		if line++; l.faults.full(l.file) {
			return
		}
		if strings.Contains(text, "#") {
			text = comment.ReplaceAllString(text, "$1")
		}
		content := strings.TrimLeftFunc(text, unicode.IsSpace)
		column := utf8.RuneCountInString(text[:len(text)-len(content)]) + 1
		if content = strings.TrimSpace(content); content == "" {
			continue
		}
		if size := len(content); size > 2 && content[0] == '"' && content[size-1] == '"' {
			content = content[1 : size-1]
		}
		l.add(content, line, column)
	}
}

// add adds one number.
func (l *numberList) add(text string, line, column int) {
	l.entry.listed++
	l.addNumber(l.entry, text, Position{l.file, line, column})
}

// readTable reads CSV. A fault in the header leaves the rows unread.
func (l *numberList) readTable(separator rune) (complete bool) {
	if l.refuseWideRows(separator) {
		return false
	}
	l.findLines()
	rows := csv.NewReader(bytes.NewReader(l.data))
	rows.Comma = separator
	rows.FieldsPerRecord = -1 // readRow has a better message
	rows.ReuseRecord = true
	column, width := -1, 0
	for !l.faults.full(l.file) {
		cells, err := rows.Read()
		if broken, ok := errors.AsType[*csv.ParseError](err); ok {
			l.reportCSV(broken)
			if column < 0 {
				return false
			}
			l.entry.listed++
			continue
		}
		switch {
		case err != nil:
			return true // the end of the file: reading memory has no other error
		case isBlank(cells):
		case column >= 0:
			l.readRow(rows, cells, column, width)
		default:
			if column = l.findColumn(rows, cells); column < 0 {
				return false
			}
			width = len(cells)
		}
	}
	return true
}

// reportCSV reports a row that is not CSV.
func (l *numberList) reportCSV(broken *csv.ParseError) {
	line, at := l.place(broken.Line, broken.Column)
	if broken.StartLine != broken.Line { // an unclosed quote
		line, at = broken.StartLine+l.skipped, 1
	}
	l.faultAt(line, at, "row", fmt.Sprintf("is not CSV (%v)", broken.Err), "put cells with quotes in quotes, and double the quotes inside")
}

// maxColumns bounds the cells of a row, since each takes far more memory than its bytes.
const maxColumns = 1000

// refuseWideRows reports the first line with more cells than maxColumns.
func (l *numberList) refuseWideRows(separator rune) bool {
	line := l.skipped
	for text := range bytes.Lines(l.data) {
		line++
		if bytes.Count(text, []byte(string(separator))) >= maxColumns {
			l.faultAt(line, 1, "row", fmt.Sprintf("has more than %d cells", maxColumns), "delete the columns that are not needed")
			return true
		}
	}
	return false
}

// readRow reads one row of a table.
func (l *numberList) readRow(rows *csv.Reader, cells []string, column, width int) {
	if len(cells) != width {
		line, _ := rows.FieldPos(0)
		l.entry.listed++
		l.faultAt(line+l.skipped, 1, "row", fmt.Sprintf("has %s, but the header has %d", count(len(cells), "cell"), width),
			"give it as many, and put cells that contain the separator in quotes")
		return
	}
	line, at := l.place(rows.FieldPos(column))
	l.add(strings.TrimSpace(cells[column]), line, at)
}

// findColumn returns the index of the column of numbers, or reports why there is none
// and returns -1.
func (l *numberList) findColumn(rows *csv.Reader, header []string) int {
	found := l.matchColumns(header)
	if len(found) == 1 && l.column != nil {
		return found[0]
	}
	if len(found) == 0 || l.column == nil {
		if i := slices.IndexFunc(header, looksLikeNumber); i >= 0 {
			line, at := l.place(rows.FieldPos(i))
			l.faultAt(line, at, "header", "is missing: the first row contains a number", "put a row with column names first, for example phone_number")
			return -1
		}
	}
	line, _ := rows.FieldPos(0)
	switch {
	case len(found) == 1:
		return found[0]
	case l.column != nil && len(found) > 1:
		l.refuseColumn("matches two columns of "+l.file, "give the columns different names")
	case l.column != nil:
		l.refuseColumn("is not a column of "+l.file, "use one of "+columns(header))
	case len(found) > 1:
		l.faultAt(line+l.skipped, 1, "header", fmt.Sprintf("has two columns that may hold the numbers, %q and %q", clip(header[found[0]]), clip(header[found[1]])),
			"write which one under numbers_column in the plan")
	default:
		l.faultAt(line+l.skipped, 1, "header", "has no known column of phone numbers", "add numbers_column to the plan, with one of "+columns(header))
	}
	return -1
}

// refuseColumn reports the numbers_column of the plan.
func (l *numberList) refuseColumn(why, fix string) {
	l.plan.fault(l.column, fmt.Sprintf("numbers_column %q", clip(l.column.Value)), why, fix)
}

// matchColumns returns the indexes of the columns that numbers_column names, exactly or
// else nearly, or without it those with a known name.
func (l *numberList) matchColumns(header []string) []int {
	matching := func(match func(name string) bool) (found []int) {
		for i, name := range header {
			if match(name) {
				found = append(found, i)
			}
		}
		return found
	}
	if l.column == nil {
		return matching(isColumnOfNumbers)
	}
	if found := matching(func(name string) bool { return strings.TrimSpace(name) == l.column.Value }); len(found) > 0 {
		return found
	}
	return matching(func(name string) bool { return plainName(name) == plainName(l.column.Value) })
}

// columns lists the names of a header for a message.
func columns(header []string) string {
	const most = 8
	var words []string
	for _, name := range header {
		if name = strings.TrimSpace(name); name != "" && len(words) < most {
			words = append(words, fmt.Sprintf("%q", clip(name)))
		}
	}
	return list(words)
}

// isColumnOfNumbers reports whether a header is a known name for phone numbers.
func isColumnOfNumbers(name string) bool { return slices.Contains(columnNames, plainName(name)) }

// plainName is the name of a column without letter case and separators.
func plainName(name string) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, name))
}

// looksLikeNumber reports whether a text is more likely a phone number than the name of
// a column: it has five digits or more.
func looksLikeNumber(text string) bool {
	digits := 0
	for i := range len(text) {
		if text[i] >= '0' && text[i] <= '9' {
			digits++
		}
	}
	return digits >= 5
}

func isBlank(cells []string) bool {
	return !slices.ContainsFunc(cells, func(cell string) bool { return strings.TrimSpace(cell) != "" })
}

// findLines sets lines, for place.
func (l *numberList) findLines() {
	l.lines = make([]int, 1, bytes.Count(l.data, []byte("\n"))+1)
	for i, b := range l.data {
		if b == '\n' {
			l.lines = append(l.lines, i+1)
		}
	}
}

// place turns a position of package csv, in bytes of data, into one in the file, in
// characters.
func (l *numberList) place(line, column int) (int, int) {
	start := l.lines[min(line, len(l.lines))-1]
	end := min(start+column-1, len(l.data))
	return line + l.skipped, utf8.RuneCount(l.data[start:end]) + 1
}

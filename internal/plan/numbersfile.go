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
//	plain list   one number a line; blank lines and what follows # are passed over
//	CSV          a header, then rows; commas, semicolons or tabs between the cells
//
// It is a table if its name ends in .csv, if the first line has one of the three
// separators, if that line is the name of a column of numbers, or if the plan has
// numbers_column. A .csv file that begins with a number and has one column is a
// plain list. Nothing is skipped in a table but blank rows: a row that cannot be
// read is a fault, since a number that is silently left out would be found out on
// the day.

// columnNames are the headers, without case and separators, by which the column
// of numbers is known.
var columnNames = []string{
	"phonenumber", "phonenumbers", "number", "numbers", "phone", "phones", "e164", "e164number", "msisdn",
	"telephone", "telephonenumber", "tel", "mobile", "mobilenumber", "longcode", "tn", "did",
}

// drivePath is the beginning of an absolute path on Windows.
var drivePath = regexp.MustCompile(`^[A-Za-z]:`)

func readNumbersFile(r *reader, e *entry, node *yaml3.Node) {
	text, ok := r.readString(node, "numbers_file")
	if !ok {
		return
	}
	if refused := checkPath(text); refused != nil {
		r.fault(node, fmt.Sprintf("numbers_file %q", clip(text)), refused.why, refused.mend)
		return
	}
	e.file = node
}

// checkPath refuses a path that leads out of the plan's folder or that means
// something else on another machine.
func checkPath(text string) *refusal {
	const inside = "a plan and its numbers travel together, and a plan does not open other files of the machine"
	extension := strings.ToLower(path.Ext(text))
	switch {
	case strings.Contains(text, `\`):
		return &refusal{"has backslashes, which are no separators everywhere", "write it with slashes, such as numbers/spring.csv"}
	case strings.HasPrefix(text, "/"), drivePath.MatchString(text):
		return &refusal{"is an absolute path: " + inside, "put the file beside the plan and write its path from there, such as numbers/spring.csv"}
	case slices.Contains(strings.Split(text, "/"), ".."):
		return &refusal{"leads out of the plan's folder: " + inside, "put the file beside the plan or in a folder below it"}
	case extension == ".yaml", extension == ".yml":
		return &refusal{"is named like a plan, and would be read as one", "name it *.csv or *.txt"}
	}
	return nil
}

func readNumbersColumn(r *reader, e *entry, node *yaml3.Node) {
	if _, ok := r.readString(node, "numbers_column"); ok {
		e.column = node
	}
}

// readListedFile adds the numbers of the numbers_file to an entry, once all its
// keys are known.
func (r *reader) readListedFile(e *entry, seen given) {
	if column := seen["numbers_column"]; column != nil && seen["numbers_file"] == nil {
		r.fault(column, "numbers_column", "stands without numbers_file, and says nothing alone", "add numbers_file, or delete the line")
	}
	if e.file == nil {
		return
	}
	what := fmt.Sprintf("numbers_file %q", clip(e.file.Value))
	if r.open == nil {
		r.fault(e.file, what, "cannot be read, since the plan came without its folder", "load the plan from its file, or write the numbers under numbers")
		return
	}
	file, data, refused := r.open(e.file.Value, r.position(e.file))
	if refused != nil {
		r.fault(e.file, what, refused.why, refused.mend)
		return
	}
	l := numberList{reader: reader{file: file, faults: r.faults}, plan: r, entry: e}
	l.read(data)
}

// numberList reads one numbers file.
type numberList struct {
	reader // of the file itself, for its faults and places
	plan   *reader
	entry  *entry
	// data is the text of the file from its header on, after skipped lines.
	data    []byte
	skipped int
	// lines are where the lines of data begin; nil when it is all ASCII, in which
	// characters are bytes.
	lines []int
}

// read reads a whole file.
func (l *numberList) read(data []byte) {
	if len(data) > maxFileSize {
		l.faultAt(1, 1, "file", "is bigger than 10 MiB", "take the columns out that are not needed")
		return
	}
	data = bytes.TrimPrefix(data, []byte(byteOrderMark))
	if !l.checkCharacters(data, "in a list of numbers") {
		return
	}
	before := l.entry.listed
	whole := l.readRows(data)
	if whole && l.entry.listed == before {
		l.faultAt(1, 1, "file", "holds no number", "add the numbers, or take numbers_file out of the plan")
	}
}

// readRows reads the file as what it is. It is not whole when there is a fault
// for which rows were not read.
func (l *numberList) readRows(data []byte) (whole bool) {
	isCSV := strings.EqualFold(path.Ext(l.file), ".csv")
	l.data = data
	if !isCSV {
		l.skipComments()
	}
	first, _, _ := bytes.Cut(bytes.TrimLeft(l.data, "\r\n"), []byte("\n"))
	header := string(bytes.TrimSpace(first))
	separator := separatorOf(header)
	switch {
	case l.entry.column != nil:
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

// skipComments passes over the blank lines and comments with which a file begins.
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

// separatorOf returns what stands between the cells of a header, or 0.
func separatorOf(header string) rune {
	most, separator := 0, rune(0)
	for _, candidate := range ",;\t" {
		if n := strings.Count(header, string(candidate)); n > most {
			most, separator = n, candidate
		}
	}
	return separator
}

// readPlain reads a list of one number a line.
func (l *numberList) readPlain() {
	line := l.skipped
	for text := range strings.Lines(string(l.data)) {
		if line++; l.faults.full(l.file) {
			return
		}
		text = withoutComment(text)
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

// withoutComment cuts off what follows a # that begins a line or has a space
// before it.
func withoutComment(text string) string {
	for i := range len(text) {
		if text[i] == '#' && (i == 0 || text[i-1] == ' ' || text[i-1] == '\t') {
			return text[:i]
		}
	}
	return text
}

// readTable reads CSV. A fault in the header leaves the rows unread.
func (l *numberList) readTable(separator rune) (whole bool) {
	if l.refuseWideRows(separator) {
		return false
	}
	l.findLines()
	rows := csv.NewReader(bytes.NewReader(l.data))
	rows.Comma = separator
	rows.FieldsPerRecord = -1 // told in our own words
	rows.ReuseRecord = true
	column, width := -1, 0
	for !l.faults.full(l.file) {
		cells, err := rows.Read()
		if broken, ok := errors.AsType[*csv.ParseError](err); ok {
			line, at := l.place(broken.Line, broken.Column)
			if broken.StartLine != broken.Line { // a quote that nobody closed
				line, at = broken.StartLine+l.skipped, 1
			}
			l.faultAt(line, at, "row", fmt.Sprintf("is not CSV (%v)", broken.Err), "put a cell that holds quotes into quotes, and write each of its own twice")
			if column < 0 {
				return false
			}
			l.entry.listed++
			continue
		}
		if err != nil {
			return true // the end of the file: memory gives no other error
		}
		if isBlank(cells) {
			continue
		}
		if column < 0 {
			if column = l.findColumn(rows, cells); column < 0 {
				return false
			}
			width = len(cells)
			continue
		}
		l.readRow(rows, cells, column, width)
	}
	return true
}

// maxColumns bounds the cells of a row, of which each costs far more than its
// bytes.
const maxColumns = 1000

// refuseWideRows reports the first line with more cells than any table of phone
// numbers has.
func (l *numberList) refuseWideRows(separator rune) bool {
	line := l.skipped
	for text := range bytes.Lines(l.data) {
		line++
		if bytes.Count(text, []byte(string(separator))) >= maxColumns {
			l.faultAt(line, 1, "row", fmt.Sprintf("has more than %d cells", maxColumns), "take the columns out that are not needed")
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
		l.faultAt(line+l.skipped, 1, "row", fmt.Sprintf("has %s, and the header has %d", count(len(cells), "cell"), width),
			"give it as many; a cell that holds the separator goes into quotes")
		return
	}
	line, at := l.place(rows.FieldPos(column))
	l.add(strings.TrimSpace(cells[column]), line, at)
}

// findColumn returns which column holds the numbers, after reporting why none
// does.
func (l *numberList) findColumn(rows *csv.Reader, header []string) int {
	if l.entry.column != nil {
		return l.findNamed(rows, header)
	}
	if l.refuseNumbers(rows, header) {
		return -1
	}
	var found []int
	for i, name := range header {
		if isColumnOfNumbers(name) {
			found = append(found, i)
		}
	}
	line, _ := rows.FieldPos(0)
	switch len(found) {
	case 1:
		return found[0]
	case 0:
		l.faultAt(line+l.skipped, 1, "header", "names no column of phone numbers", "add numbers_column to the plan, with one of "+columns(header))
	default:
		l.faultAt(line+l.skipped, 1, "header", fmt.Sprintf("names both %q and %q, and each may be the column of numbers",
			clip(header[found[0]]), clip(header[found[1]])), "say which with numbers_column in the plan")
	}
	return -1
}

// refuseNumbers reports a first row that has a number in it, and so is no header.
func (l *numberList) refuseNumbers(rows *csv.Reader, header []string) bool {
	i := slices.IndexFunc(header, looksLikeNumber)
	if i < 0 {
		return false
	}
	line, at := l.place(rows.FieldPos(i))
	l.faultAt(line, at, "header", "is missing: there is a number in the first row", "put a row with the names of the columns first, such as phone_number")
	return true
}

// findNamed returns which column is the one that the plan names.
func (l *numberList) findNamed(rows *csv.Reader, header []string) int {
	want := l.entry.column.Value
	for _, same := range []func(a, b string) bool{
		func(a, b string) bool { return a == b },
		func(a, b string) bool { return plainName(a) == plainName(b) },
	} {
		var found []int
		for i, name := range header {
			if same(strings.TrimSpace(name), want) {
				found = append(found, i)
			}
		}
		switch {
		case len(found) == 1:
			return found[0]
		case len(found) > 1:
			l.plan.fault(l.entry.column, fmt.Sprintf("numbers_column %q", clip(want)), "is the name of two columns in "+l.file, "give each column a name of its own")
			return -1
		}
	}
	if l.refuseNumbers(rows, header) {
		return -1
	}
	l.plan.fault(l.entry.column, fmt.Sprintf("numbers_column %q", clip(want)), "is no column of "+l.file, "use one of "+columns(header))
	return -1
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

// looksLikeNumber reports whether a text is more likely a phone number than the
// name of a column.
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

// add parses one number and keeps it with its place.
func (l *numberList) add(text string, line, column int) {
	l.entry.listed++
	n, err := ParseE164(text)
	if refused, ok := errors.AsType[*NumberError](err); ok {
		l.faultAt(line, column, refused.what(), refused.Why, refused.Fix)
		return
	}
	l.entry.numbers = append(l.entry.numbers, placed{n, Position{l.file, line, column}})
}

// findLines prepares place.
func (l *numberList) findLines() {
	if !slices.ContainsFunc(l.data, func(b byte) bool { return b >= utf8.RuneSelf }) {
		return
	}
	l.lines = []int{0}
	for i, b := range l.data {
		if b == '\n' {
			l.lines = append(l.lines, i+1)
		}
	}
}

// place turns a place as package csv counts, in bytes of data, into one in the
// file, in characters.
func (l *numberList) place(line, column int) (int, int) {
	if l.lines != nil && line <= len(l.lines) {
		begin := l.lines[line-1]
		end := min(begin+column-1, len(l.data))
		column = utf8.RuneCount(l.data[begin:end]) + 1
	}
	return line + l.skipped, column
}

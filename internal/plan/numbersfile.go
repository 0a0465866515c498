package plan

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	encoding "golang.org/x/text/encoding/unicode"
)

// A numbers_file is a plain list or a table:
//
//	plain list   one number per line; blank lines and text after # are ignored
//	CSV          a header, then rows; cells separated by commas, semicolons, tabs or pipes
//	workbook     a header, then rows; the first sheet that is not hidden
//
// A workbook is known by its first bytes. A text file is a table if its name ends in
// .csv or .tsv, if its first line has one of the separators, if that line is a
// known name for a column of numbers, or if the plan sets numbers_column. A .csv file or
// workbook that starts with a number and has one column is a list.
//
// Only blank rows of a table are skipped, and rows above the header. Any other row that
// cannot be read is a fault, since a number that is left out silently would be missed on
// approval day. With skip_invalid it is set aside and reported.

// columnNames are the known headers of the column of numbers, without letter case and
// separators.
var columnNames = []string{
	"phonenumber", "phonenumbers", "number", "numbers", "phone", "phones", "e164", "e164number", "msisdn",
	"phoneno", "phonenumbere164", "telephone", "telephonenumber", "telephonenumbers", "telephoneno", "tel", "telno",
	"mobile", "mobilenumber", "longcode", "tn", "tns", "did", "dids", "didnumber",
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
	skip, hasSkip := keys["skip_invalid"]
	if hasColumn && !hasFile {
		r.fault(column.key, "numbers_column", "is only used with numbers_file", "add numbers_file, or delete the line")
	}
	if hasSkip && !hasFile {
		r.fault(skip.key, "skip_invalid", "is only used with numbers_file", "add numbers_file, or delete the line")
	}
	columnName := ""
	if hasColumn {
		columnName, _ = r.readString(column.value, "numbers_column")
	}
	skips := hasSkip && r.readBool(skip.value, "skip_invalid")
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
	before := e.listed
	l := numberList{
		reader: reader{file: shown, faults: r.faults}, column: columnName, setting: "numbers_column in the plan",
		take: func(row listRow) { r.addRow(e, row, skips) },
		refuseColumn: func(why, fix string) {
			r.fault(column.value, fmt.Sprintf("numbers_column %q", clip(columnName)), why, fix)
		},
	}
	if complete := l.read(data); complete && e.listed == before {
		l.faultAt(1, 1, "file", "contains no numbers", "add numbers, or remove numbers_file from the plan")
	}
}

// addRow adds the number of a row to an entry. A row without a good number is a fault,
// or is set aside.
func (r *reader) addRow(e *entry, row listRow, skips bool) {
	refused := row.refused
	if refused == nil {
		n, err := ParseE164(unquote(row.text))
		if refused = asFault(err); refused == nil {
			e.listed++
			e.numbers = append(e.numbers, placed{n, row.at})
			return
		}
	}
	if skips {
		r.aside.add(row.at, refused.What, refused.Why, refused.Fix)
		return
	}
	e.listed++
	r.faults.add(row.at, refused.What, refused.Why, refused.Fix)
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

// numberList reads the numbers of one file.
type numberList struct {
	reader // of the file, for its faults and positions
	// column names the column of numbers; if empty, one with a known name is used. sheet
	// names the sheet of a workbook; if empty, the first is used.
	column, sheet string
	// setting is what a person sets to name the column.
	setting string
	// refuseColumn reports that column is not one column of the file.
	refuseColumn func(why, fix string)
	// take gets each row that may have a number, in the order of the file.
	take func(listRow)
	// data is the file without the lines that it starts with and that are not rows:
	// comments and sep=. skipped is how many lines those are.
	data    []byte
	skipped int
}

// listRow is a row that may have a number.
type listRow struct {
	// shown is the number of the row as a spreadsheet or editor shows it, from 1.
	shown int
	at    Position
	text  string
	// refused is why the row cannot be read, nil if it can. Its position is not set.
	refused *Fault
}

// read reads a whole file. It is not complete if a fault kept rows from being read.
func (l *numberList) read(data []byte) (complete bool) {
	if len(data) > maxFileSize {
		l.faultAt(1, 1, "file", "is larger than 10 MiB", "delete the columns that are not needed")
		return false
	}
	switch {
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		return l.readWorkbook(data)
	case bytes.HasPrefix(data, []byte("\xd0\xcf\x11\xe0")):
		l.faultAt(1, 1, "file", "is an Excel workbook of the old kind (.xls), or has a password", "save it as .xlsx without a password, or as CSV UTF-8")
		return false
	case l.sheet != "":
		l.faultAt(1, 1, fmt.Sprintf("sheet %q", clip(l.sheet)), "cannot be chosen, because the file is not an Excel workbook", "leave out the sheet")
		return false
	}
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) { // Excel's Unicode text
		data, _ = encoding.UTF16(encoding.BigEndian, encoding.ExpectBOM).NewDecoder().Bytes(data) // a broken character becomes U+FFFD
	}
	data = bytes.TrimPrefix(data, []byte(byteOrderMark))
	if !l.checkCharacters(data, "in a list of numbers") {
		return false
	}
	if !bytes.Contains(data, []byte("\n")) { // Excel for Mac ends lines with CR alone
		data = bytes.ReplaceAll(data, []byte("\r"), []byte("\n"))
	}
	l.data = data
	return l.readRows()
}

// readRows reads a text as a list or a table.
func (l *numberList) readRows() (complete bool) {
	extension := strings.ToLower(path.Ext(l.file))
	isCSV := extension == ".csv" || extension == ".tsv"
	if separator := l.skipSeparatorLine(); separator != 0 {
		return l.readTable(l.csvRows(separator))
	}
	if !isCSV {
		l.skipComments()
	}
	first, _, _ := bytes.Cut(bytes.TrimLeft(l.data, "\r\n"), []byte("\n"))
	header := string(bytes.TrimSpace(first))
	separator := separatorOf(header)
	switch {
	case l.column != "" || separator != 0:
	case looksLikeNumber(header), !isCSV && !isColumnOfNumbers(header):
		l.readPlain()
		return true
	}
	if separator == 0 {
		separator = l.separatorBelowTitle()
	}
	return l.readTable(l.csvRows(separator))
}

// separatorLine is how a file says to Excel what separates its cells.
var separatorLine = regexp.MustCompile(`^"?(?i:sep)=([,;\t|])"?\r?\n`)

// skipSeparatorLine skips a first line that names the separator, and returns that or 0.
// Spreadsheets do not show that line.
func (l *numberList) skipSeparatorLine() rune {
	match := separatorLine.FindSubmatch(l.data)
	if match == nil {
		return 0
	}
	l.data, l.skipped = l.data[len(match[0]):], 1
	return rune(match[1][0])
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
	for _, candidate := range ",;\t|" {
		if n := strings.Count(header, string(candidate)); n > most {
			most, separator = n, candidate
		}
	}
	return separator
}

// separatorBelowTitle returns the separator of a table whose first line has none. In a
// table of one column it does not matter.
func (l *numberList) separatorBelowTitle() rune {
	lines := 0
	for line := range bytes.Lines(l.data) {
		if separator := separatorOf(string(line)); separator != 0 {
			return separator
		}
		if lines++; lines > maxAbove {
			break
		}
	}
	return ','
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
		l.take(listRow{shown: line, at: Position{l.file, line, column}, text: content})
	}
}

// maxAbove bounds the rows that are searched for a header.
const maxAbove = 20

// header is the row with the names of the columns.
type header struct {
	// rows is how many rows to skip to be below it.
	rows int
	line int
	// cells are the names, of which those at the indexes in found may be the column of
	// numbers.
	cells []string
	found []int
	// width is how many cells each row must have, 0 if that does not matter.
	width int
}

// readTable reads a table. A fault in the header leaves the rows unread.
func (l *numberList) readTable(open func() (tableRows, bool)) (complete bool) {
	rows, ok := open()
	if !ok {
		return false
	}
	head, ok := l.findHeader(rows)
	if !ok {
		return false
	}
	if rows, ok = open(); !ok {
		return false
	}
	for range head.rows {
		if _, err := rows.next(); err != nil {
			rows.report(err)
			return false
		}
	}
	complete = true
	for !l.faults.full(l.file) {
		row, err := rows.next()
		switch {
		case err == io.EOF:
			return complete
		case err != nil:
			complete = false
			if !rows.report(err) {
				return false
			}
		case !isBlank(row.cells):
			l.readRow(rows, row, head)
		}
	}
	return false
}

// readRow reads one row below the header.
func (l *numberList) readRow(rows tableRows, row tableRow, head header) {
	column := head.found[0]
	if head.width > 0 && len(row.cells) != head.width {
		l.take(listRow{shown: row.shown, at: Position{l.file, row.line, 1}, refused: &Fault{
			What: "row", Why: fmt.Sprintf("has %s, but the header has %d", count(len(row.cells), "cell"), head.width),
			Fix: "give it as many, and put cells that contain the separator in quotes",
		}})
		return
	}
	line, at := rows.place(column)
	text := ""
	if column < len(row.cells) {
		text = strings.TrimSpace(row.cells[column])
	}
	l.take(listRow{shown: row.shown, at: Position{l.file, line, at}, text: text})
}

// findHeader returns the header, or reports why there is none. Rows above it, for
// example a title, are skipped. The first row with a number ends the search.
func (l *numberList) findHeader(rows tableRows) (header, bool) {
	var above []header
	for read := 1; len(above) < maxAbove; read++ {
		row, err := rows.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			rows.report(err)
			return header{}, false
		}
		if isBlank(row.cells) {
			continue
		}
		found := l.matchColumns(row.cells)
		number := slices.IndexFunc(row.cells, isNumber)
		switch {
		case number < 0, l.column != "" && len(found) > 0:
			above = append(above, header{rows: read, line: row.line, cells: slices.Clone(row.cells), found: found, width: rows.width(row.cells)})
			continue
		case len(above) > 0:
			return l.chooseHeader(above, len(above)-1)
		case len(row.cells) == 1 && l.column == "": // a list
			return header{rows: read - 1, found: []int{0}, width: 1}, true
		}
		line, at := rows.place(number)
		l.faultAt(line, at, "header", "is missing: the first row contains a number", "put a row with column names first, for example phone_number")
		return header{}, false
	}
	return l.chooseHeader(above, 0)
}

// chooseHeader returns the first row that has a column of numbers; a title with such a
// name is only the header if no other row is. If there is none, the row at the given
// index is most likely the header, and is reported.
func (l *numberList) chooseHeader(above []header, likely int) (header, bool) {
	if len(above) == 0 {
		return header{found: []int{0}}, true // no rows
	}
	isHeader := func(h header) bool { return len(h.found) > 0 }
	isWide := func(h header) bool {
		return isHeader(h) && !isBlank(slices.Delete(slices.Clone(h.cells), h.found[0], h.found[0]+1))
	}
	i := slices.IndexFunc(above, isWide)
	if i < 0 {
		i = slices.IndexFunc(above, isHeader)
	}
	if i < 0 {
		l.refuseHeader(above[likely])
		return header{}, false
	}
	if len(above[i].found) > 1 {
		l.refuseHeader(above[i])
		return header{}, false
	}
	return above[i], true
}

// refuseHeader reports a header without exactly one column of numbers.
func (l *numberList) refuseHeader(h header) {
	isOne := len(h.found) == 0
	switch {
	case l.column != "" && isOne:
		l.refuseColumn("is not a column of "+l.file, "use one of "+columns(h.cells))
	case l.column != "":
		l.refuseColumn("matches two columns of "+l.file, "give the columns different names")
	case isOne:
		l.faultAt(h.line, 1, "header", "has no known column of phone numbers", "set "+l.setting+" to one of "+columns(h.cells))
	default:
		l.faultAt(h.line, 1, "header", fmt.Sprintf("has two columns that may hold the numbers, %q and %q", clip(h.cells[h.found[0]]), clip(h.cells[h.found[1]])),
			"set "+l.setting+" to one of the two")
	}
}

// matchColumns returns the indexes of the columns that column names, exactly or else
// nearly, or without it those with a known name.
func (l *numberList) matchColumns(header []string) []int {
	matching := func(match func(name string) bool) (found []int) {
		for i, name := range header {
			if match(name) {
				found = append(found, i)
			}
		}
		return found
	}
	if l.column == "" {
		return matching(isColumnOfNumbers)
	}
	if found := matching(func(name string) bool { return strings.TrimSpace(name) == l.column }); len(found) > 0 {
		return found
	}
	return matching(func(name string) bool { return plainName(name) != "" && plainName(name) == plainName(l.column) })
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

// looksLikeNumber reports whether the first line of a text is more likely a phone number
// than the name of a column: it has five digits or more.
func looksLikeNumber(text string) bool {
	digits := 0
	for i := range len(text) {
		if text[i] >= '0' && text[i] <= '9' {
			digits++
		}
	}
	return digits >= 5
}

// isNumber reports whether a cell holds a phone number, and not a date or a title.
func isNumber(cell string) bool {
	plain := unquote(strings.TrimSpace(cell))
	if serialDate.MatchString(plain) {
		return false
	}
	compact := strings.TrimPrefix(strings.Map(dropSeparator, plain), "+")
	return len(compact) >= 10 && strings.Trim(compact, "0123456789") == "" || scientific.MatchString(plain)
}

func isBlank(cells []string) bool {
	return !slices.ContainsFunc(cells, func(cell string) bool { return strings.TrimSpace(cell) != "" })
}

package plan

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// maxColumns bounds the cells of a row, since each takes far more memory than its bytes.
const maxColumns = 1000

// tableRow is one row of a table. Its cells are overwritten by the next.
type tableRow struct {
	// shown is its number as a spreadsheet shows it, line its line in the file. Both
	// count from 1.
	shown, line int
	cells       []string
}

// tableRows are the rows of a table, in order.
type tableRows interface {
	// next returns the next row, or io.EOF after the last.
	next() (tableRow, error)
	// place returns where a cell of the last row is.
	place(cell int) (line, column int)
	// width returns how many cells the rows below a header have, 0 if that may differ.
	width(header []string) int
	// report reports an error of next, and whether more rows can be read after it.
	report(err error) (more bool)
}

// csvRows are the rows of a CSV file.
type csvRows struct {
	list *numberList
	csv  *csv.Reader
	// lines are the offsets of the lines in the list's data.
	lines []int
	// end is the last line of the last row, shown its number.
	end, shown int
}

// formula matches ="+15551234567" at the start of a cell. Package csv refuses its quotes.
var formula = regexp.MustCompile(`(^|[,;\t|\n])="([ +(0-9][ +().0-9-]*)"`)

// quoteMark stands for the quotes of a formula while its row is read as CSV. The
// character itself is not allowed in a list.
const quoteMark = "\x01"

// csvRows returns a function that starts reading the rows. It returns false if a fault,
// which is reported, keeps them from being read.
func (l *numberList) csvRows(separator rune) func() (tableRows, bool) {
	if bytes.Contains(l.data, []byte(`="`)) {
		l.data = formula.ReplaceAll(l.data, []byte("$1="+quoteMark+"$2"+quoteMark))
	}
	isWide, lines := l.refuseWideRows(separator), lineOffsets(l.data)
	return func() (tableRows, bool) {
		r := &csvRows{list: l, csv: csv.NewReader(bytes.NewReader(l.data)), lines: lines}
		r.csv.Comma = separator
		r.csv.FieldsPerRecord = -1 // readRow has a better message
		r.csv.ReuseRecord = true
		return r, !isWide
	}
}

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

func (r *csvRows) next() (tableRow, error) {
	cells, err := r.csv.Read()
	if err != nil {
		return tableRow{}, err
	}
	for i, cell := range cells {
		if strings.HasPrefix(cell, "="+quoteMark) {
			cells[i] = strings.ReplaceAll(cell, quoteMark, `"`)
		}
	}
	start, _ := r.csv.FieldPos(0)
	last, _ := r.csv.FieldPos(len(cells) - 1)
	r.shown += start - r.end // package csv skips blank lines; spreadsheets show them
	r.end = last + strings.Count(cells[len(cells)-1], "\n")
	return tableRow{r.shown, start + r.list.skipped, cells}, nil
}

func (r *csvRows) width(header []string) int { return len(header) }

func (r *csvRows) report(err error) bool {
	broken, ok := errors.AsType[*csv.ParseError](err)
	if !ok {
		return false // reading memory has no other error
	}
	line, at := r.locate(broken.Line, broken.Column)
	if broken.StartLine != broken.Line { // an unclosed quote
		line, at = broken.StartLine+r.list.skipped, 1
	}
	r.list.faultAt(line, at, "row", fmt.Sprintf("is not CSV (%v)", broken.Err), "put cells with quotes in quotes, and double the quotes inside")
	return true
}

func (r *csvRows) place(cell int) (line, column int) { return r.locate(r.csv.FieldPos(cell)) }

// locate turns a position of package csv, in bytes of data, into one in the file, in
// characters.
func (r *csvRows) locate(line, column int) (int, int) {
	data := r.list.data
	start := r.lines[min(line, len(r.lines))-1]
	end := min(start+column-1, len(data))
	return line + r.list.skipped, utf8.RuneCount(data[start:end]) + 1
}

// lineOffsets returns where each line of a text starts.
func lineOffsets(data []byte) []int {
	offsets := make([]int, 1, bytes.Count(data, []byte("\n"))+1)
	for i, b := range data {
		if b == '\n' {
			offsets = append(offsets, i+1)
		}
	}
	return offsets
}

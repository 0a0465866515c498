package plan

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// NumbersOptions say where [ReadNumbers] finds the numbers in a table. The zero value
// suits a table with a known name for the column.
type NumbersOptions struct {
	// Column is the name of the column of numbers. Letter case and separators do not
	// matter unless two columns differ only in them.
	Column string
	// Sheet is the name of the sheet of a workbook. By default it is the first sheet
	// that is not hidden.
	Sheet string
}

// NumbersRow is one row of a list that [ReadNumbers] changed, refused or left out.
type NumbersRow struct {
	// Row is the number of the row as a spreadsheet or editor shows it, from 1.
	Row int
	// Text is the number as it was written, shortened if it is long.
	Text string
	// Number is what it was read as, empty if it was refused.
	Number E164
	// First is the earlier row with the same number, 0 if there is none.
	First int
	// Why is what is unusual about Text, or why it was refused, and Fix what to do; both
	// are empty for a repeated number in the usual form.
	Why, Fix string
}

// ReadNumbers reads a list of numbers as people write them, by the rules of [ParseTyped]:
// a text with one number per line, CSV, or an Excel workbook. Those are the files that a
// plan takes as its numbers_file, where only the canonical form is accepted. Rows without
// a number are skipped.
//
// It returns the numbers in the order of the file, each once, and calls report for each
// row that it changed, refused or left out as repeated. The error is a [Faults] if the
// file cannot be read whole. Links are followed as [Load] does.
func ReadNumbers(name string, options NumbersOptions, report func(NumbersRow)) ([]E164, error) {
	shown, data, err := readListFile(name)
	if err != nil {
		return nil, err
	}
	return readList(shown, data, options, report)
}

// readList is ReadNumbers for a file in memory.
func readList(shown string, data []byte, options NumbersOptions, report func(NumbersRow)) ([]E164, error) {
	var faults collector
	c := numbersCollector{first: map[E164]int{}, report: report}
	l := numberList{
		reader: reader{file: shown, faults: &faults}, column: options.Column, sheet: options.Sheet, setting: "--column", take: c.take,
	}
	l.refuseColumn = func(why, fix string) { l.faultAt(1, 1, fmt.Sprintf("column %q", clip(options.Column)), why, fix) }
	l.read(data)
	if err := faults.err(); err != nil {
		return nil, err
	}
	return c.numbers, nil
}

// readListFile reads a file within its folder, as [Load] does.
func readListFile(name string) (shown string, data []byte, err error) {
	shown = Printable(filepath.Clean(name))
	folder, file, err := openFolder(name)
	if err != nil {
		return "", nil, unreadable(shown, err)
	}
	defer folder.Close()
	info, err := fs.Stat(folder.FS(), file)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err == nil {
		data, err = readAtMost(folder.FS(), file, maxFileSize+1)
	}
	if err != nil {
		return "", nil, unreadable(shown, err)
	}
	return shown, data, nil
}

// numbersCollector gathers the numbers of a list.
type numbersCollector struct {
	numbers []E164
	first   map[E164]int
	report  func(NumbersRow)
}

func (c *numbersCollector) take(row listRow) {
	out := NumbersRow{Row: row.shown, Text: clip(row.text)}
	if row.refused != nil {
		out.Why, out.Fix = row.refused.Why, row.refused.Fix
		c.report(out)
		return
	}
	if row.text == "" {
		return
	}
	n, loose, refused := parse(row.text)
	if note := cmp.Or(refused, loose); note != nil {
		out.Why, out.Fix = note.Why, note.Fix
	}
	if refused == nil {
		out.Number, out.First = n, c.first[n]
		if out.First == 0 {
			c.first[n], c.numbers = row.shown, append(c.numbers, n)
		}
	}
	if out.Why != "" || out.First > 0 {
		c.report(out)
	}
}

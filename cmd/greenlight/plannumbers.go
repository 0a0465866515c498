package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"greenlight/internal/app"
	"greenlight/internal/plan"
	"greenlight/internal/status"
)

type planNumbersCommand struct {
	File   string `arg:"" help:"Text with one number per line, CSV, TSV, or an Excel workbook (.xlsx)."`
	Column string `placeholder:"NAME" help:"Column that holds the numbers. Default: the one with a usual name, for example Phone."`
	Sheet  string `placeholder:"NAME" help:"Sheet of the workbook. Default: the first that is not hidden."`
	Output string `short:"o" placeholder:"FILE" help:"File to write the list to. Default: standard output."`
}

// Help is what kong prints under the command's own help.
func (c *planNumbersCommand) Help() string {
	return `Writes each number once, as +1 and ten digits on a line: a file for numbers_file. It reads (212) 555-0142,
212.555.0142, 1-212-555-0142, '+12125550142 and similar spellings. Ten digits count as a US number.

Standard error shows each row that was changed, refused or repeated, with its number as the spreadsheet shows it.
Rows without a number are skipped. Hidden rows are read.

Exits with
  0  if every number was read
  1  if the file cannot be read or has no valid number; no list is written
  2  if rows were refused; the list of the others is written`
}

// Run reads the file and writes the list.
func (c *planNumbersCommand) Run(out output) error {
	rows := numbersReport{name: plan.Printable(filepath.Clean(c.File)), w: bufio.NewWriter(out.Stderr)}
	numbers, err := plan.ReadNumbers(c.File, plan.NumbersOptions{Column: c.Column, Sheet: c.Sheet}, rows.add)
	if err == nil && len(numbers) == 0 {
		err = fmt.Errorf("%s: contains no number that a plan can use", rows.name)
	}
	if err != nil {
		return errors.Join(rows.w.Flush(), err)
	}
	if err := errors.Join(rows.sum(len(numbers)), c.write(out.Stdout, numbers)); err != nil {
		return err
	}
	if rows.refused > 0 {
		return &app.ExitCode{Code: 2} // the report is the message
	}
	return nil
}

// write writes the list to the output file, or to standard output.
func (c *planNumbersCommand) write(stdout io.Writer, numbers []plan.E164) error {
	var text strings.Builder
	for _, number := range numbers {
		text.WriteString(string(number) + "\n")
	}
	if c.Output == "" {
		_, err := io.WriteString(stdout, text.String())
		return err
	}
	if c.isInput() {
		return fmt.Errorf("%s is also the input file; choose another name with -o", plan.Printable(c.Output))
	}
	return replaceFile(c.Output, text.String())
}

// isInput reports whether the output file is the one that is read.
func (c *planNumbersCommand) isInput() bool {
	input, err := os.Stat(c.File)
	if err != nil {
		return false
	}
	output, err := os.Stat(c.Output)
	return err == nil && os.SameFile(input, output)
}

// replaceFile writes a file at once: an assigner that watches it never sees half a list.
func replaceFile(name, text string) error {
	file, err := os.CreateTemp(filepath.Dir(name), ".greenlight-*")
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	err = errors.Join(err, file.Chmod(0o644), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

// numbersReport prints the rows that are not taken as they are.
type numbersReport struct {
	name                       string
	w                          *bufio.Writer
	changed, refused, repeated int
}

// add prints one row.
func (r *numbersReport) add(row plan.NumbersRow) {
	var text string
	switch {
	case row.First > 0:
		r.repeated++
		text = fmt.Sprintf("%s is already in row %d; left out", row.Number, row.First)
	case row.Number != "":
		r.changed++
		text = fmt.Sprintf("%q %s; written as %s", row.Text, row.Why, row.Number)
	case row.Text != "":
		r.refused++
		text = fmt.Sprintf("%q %s, refused; %s", row.Text, row.Why, row.Fix)
	default:
		r.refused++
		text = fmt.Sprintf("%s, refused; %s", row.Why, row.Fix)
	}
	r.print(fmt.Sprintf("%s: row %d: %s", r.name, row.Row, text))
}

// sum prints how many rows there were of each kind.
func (r *numbersReport) sum(numbers int) error {
	r.print(fmt.Sprintf("%s: %s, %d changed, %d refused, %d repeated", r.name, status.Count(numbers, "number"), r.changed, r.refused, r.repeated))
	return r.w.Flush()
}

// print prints a line. CI runners treat ## anywhere in it as the beginning of a command.
func (r *numbersReport) print(line string) {
	fmt.Fprintln(r.w, strings.ReplaceAll(line, "##", `#\x23`)) // Flush returns the error
}

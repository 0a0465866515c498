package plan

import (
	"archive/zip"
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"
)

const (
	// maxUnpacked bounds the unpacked files of a workbook, in bytes.
	maxUnpacked = 32 << 20
	// maxMarkup bounds the tags and attributes of a workbook. Memory depends on them, not
	// on bytes: each takes some hundred. It is enough for about 50,000 numbers.
	maxMarkup = 1_000_000
)

// Reasons why a workbook is refused.
var (
	errTooLarge     = errors.New("is too large when unpacked")
	errTooManyCells = errors.New("has too many cells")
)

// readWorkbook reads an Excel workbook (.xlsx). Hidden rows and columns count.
func (l *numberList) readWorkbook(data []byte) (complete bool) {
	book, err := openWorkbook(data)
	if err != nil {
		return l.refuseWorkbook(err)
	}
	sheet, ok := l.chooseSheet(book)
	return ok && l.readTable(func() (tableRows, bool) {
		s := &sheetRows{list: l}
		err := guard(func() (err error) { s.rows, err = book.Rows(sheet); return err })
		return s, err == nil || l.refuseWorkbook(err)
	})
}

// openWorkbook unpacks a workbook.
func openWorkbook(data []byte) (book *excelize.File, err error) {
	if err := checkWorkbook(data); err != nil {
		return nil, err
	}
	// With equal limits excelize writes no temporary files.
	options := excelize.Options{UnzipSizeLimit: maxUnpacked, UnzipXMLSizeLimit: maxUnpacked, RawCellValue: true}
	err = guard(func() (err error) { book, err = excelize.OpenReader(bytes.NewReader(data), options); return err })
	return book, err
}

// guard calls excelize, which panics on some broken workbooks. That must not crash the
// process.
func guard(call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the reader gave up: %v", p)
		}
	}()
	return call()
}

// checkWorkbook reads all XML of a workbook once, for two reasons: excelize takes broken
// XML for the end of a sheet, so that numbers would be left out silently, and it does not
// bound the memory that tags take.
func checkWorkbook(data []byte) error {
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return err
	}
	size, markup := uint64(0), 0
	for _, file := range archive.File {
		if size += min(file.UncompressedSize64, maxUnpacked+1); size > maxUnpacked {
			return errTooLarge
		}
		if extension := strings.ToLower(path.Ext(file.Name)); extension != ".xml" && extension != ".rels" {
			continue
		}
		text, err := unpack(file)
		if err != nil {
			return err
		}
		if markup += bytes.Count(text, []byte("<")) + bytes.Count(text, []byte("=")); markup > maxMarkup {
			return errTooManyCells
		}
		if err := checkXML(text); err != nil {
			return err
		}
	}
	return nil
}

// unpack returns the content of a file in an archive.
func unpack(file *zip.File) ([]byte, error) {
	content, err := file.Open()
	if err != nil {
		return nil, err
	}
	defer content.Close()
	return io.ReadAll(content)
}

// checkXML returns what is wrong with an XML file.
func checkXML(text []byte) error {
	decoder := xml.NewDecoder(bytes.NewReader(text))
	for {
		if _, err := decoder.Token(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// chooseSheet returns the sheet that is asked for, or else the first that is not hidden.
func (l *numberList) chooseSheet(book *excelize.File) (sheet string, ok bool) {
	var names, found []string
	err := guard(func() error {
		names = book.GetSheetList()
		for _, name := range names {
			visible, err := book.GetSheetVisible(name)
			if err != nil {
				return err
			}
			if l.sheet == "" && visible || strings.EqualFold(name, l.sheet) {
				found = append(found, name)
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return "", l.refuseWorkbook(err)
	case len(found) > 0:
		return found[0], true
	case l.sheet == "":
		return "", l.refuseWorkbook(errors.New("it has no visible sheet"))
	}
	l.faultAt(1, 1, fmt.Sprintf("sheet %q", clip(l.sheet)), "is not in the workbook", "use one of "+columns(names))
	return "", false
}

// refuseWorkbook reports a workbook that cannot be read, and returns false.
func (l *numberList) refuseWorkbook(err error) bool {
	switch {
	case errors.Is(err, errTooLarge), errors.Is(err, errTooManyCells):
		l.faultAt(1, 1, "file", err.Error(), "delete the sheets and columns that are not needed")
	default:
		l.faultAt(1, 1, "file", fmt.Sprintf("is not an Excel workbook that can be read (%q)", clip(err.Error())), "save it again as .xlsx, or as CSV UTF-8")
	}
	return false
}

// sheetRows are the rows of a sheet. A place in it is row and column.
type sheetRows struct {
	list *numberList
	rows *excelize.Rows
	row  int
}

func (s *sheetRows) next() (row tableRow, err error) {
	var cells []string
	err = guard(func() (err error) {
		if !s.rows.Next() {
			return cmp.Or(s.rows.Error(), io.EOF)
		}
		cells, err = s.rows.Columns()
		return err
	})
	switch {
	case err != nil:
		return tableRow{}, err
	case len(cells) > maxColumns:
		return tableRow{}, errTooManyCells
	}
	s.row++
	for i, cell := range cells {
		if stored.MatchString(cell) {
			cells[i] = exact(cell)
		}
	}
	return tableRow{s.row, s.row, cells}, nil
}

// stored matches a number as some programs store it in a workbook, 1.5551234567E10. It has
// lost nothing if it has more digits than a spreadsheet shows.
var stored = regexp.MustCompile(`^[1-9]\.[0-9]{6,10}E\+?(9|10)$`)

// exact returns all digits of a stored number.
func exact(cell string) string {
	value, err := strconv.ParseFloat(cell, 64)
	if err != nil {
		return cell
	}
	return strconv.FormatFloat(value, 'f', -1, 64)
}

func (s *sheetRows) place(cell int) (line, column int) { return s.row, cell + 1 }

// width is 0, since excelize leaves out the blank cells at the end of a row.
func (s *sheetRows) width([]string) int { return 0 }

func (s *sheetRows) report(err error) bool { return s.list.refuseWorkbook(err) }

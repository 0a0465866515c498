package main

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"greenlight/internal/app"
)

func TestPlanNumbers_ReadsASheetOfAWorkbook(t *testing.T) {
	t.Chdir(t.TempDir())
	book := excelize.NewFile()
	if _, err := book.NewSheet("Desks"); err != nil {
		t.Fatal(err)
	}
	for cell, value := range map[string]any{"A1": "Desk", "B1": "Phone", "A2": "Front", "B2": "(212) 555-0142", "A3": "Back", "B3": 18005550142} {
		if err := book.SetCellValue("Desks", cell, value); err != nil {
			t.Fatal(err)
		}
	}
	if err := book.SaveAs("desks.xlsx"); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, sheet, want, report string
		code                      int
	}{
		{"named", "desks", "+12125550142\n", "desks.xlsx: row 3: \"18005550142\" is toll-free", 2},
		{"first", "", "", "", 1},
		{"none", "Chairs", "", "", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			err := run(t.Context(), []string{"plan", "numbers", "desks.xlsx", "--sheet", test.sheet}, output{&stdout, &stderr})
			code := 0
			if err != nil {
				code = 1
			}
			if coded, ok := errors.AsType[*app.ExitCode](err); ok {
				code = coded.Code
			}
			if code != test.code || stdout.String() != test.want || !strings.Contains(stderr.String(), test.report) {
				t.Errorf("got code %d, %v, stdout %q, stderr %q", code, err, stdout.String(), stderr.String())
			}
		})
	}
	if left, _ := filepath.Glob(".greenlight-*"); len(left) > 0 {
		t.Errorf("it left %v", left)
	}
}

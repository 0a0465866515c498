package plan

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
)

func TestParseTyped_AcceptsEverySpelling(t *testing.T) {
	const want = E164("+12125550142")
	for _, text := range []string{
		"+12125550142", "12125550142", "2125550142", "(212) 555-0142", "212.555.0142", "212-555-0142", "1-212-555-0142",
		"1 (212) 555 0142", "+1.212.555.0142", "212/555-0142", "212·555·0142", " +12125550142 ", "\t2125550142\r\n",
		"+1\u00a0212\u00a0555\u00a00142", "212\u2011555\u20110142", "212\u2013555\u20130142", "212\u2212555\u22120142",
		"\u202a+1 (212) 555-0142\u202c", "\ufeff2125550142", "212\u200b5550142", "'+12125550142", "'2125550142",
		`="+12125550142"`, `="(212) 555-0142"`, ` '+12125550142`, "12125550142.0", "2125550142.00",
	} {
		if got, err := ParseTyped(text); got != want || err != nil {
			t.Errorf("ParseTyped(%q) = %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestParseTyped_RefusesWhatIsNotAUSNumber(t *testing.T) {
	for text, want := range map[string]string{
		"":                        `number: is empty`,
		"'":                       `number "'": is empty`,
		"n/a":                     `number "n/a": is not a phone number`,
		"212-555-0142 x9":         `number "212-555-0142 x9": is not a phone number`,
		"(800) 555-0142":          `number "(800) 555-0142": is toll-free`,
		"416-555-0142":            `number "416-555-0142": is not a US number: area code 416 is in Canada`,
		"+44 20 7183 8750":        `number "+44 20 7183 8750": has a country code other than 1`,
		"555-0142":                `number "555-0142": is too short`,
		"1.21256E+10":             `number "1.21256E+10": is in scientific notation`,
		`="1.2125550142E+10"`:     `number "=\"1.2125550142E+10\"": is in scientific notation`,
		"2125550142, 2125550143":  `number "2125550142, 2125550143": is not a phone number`,
		"2125550142 / 2125550143": `number "2125550142 / 2125550143": has a country code other than 1`,
		`="+12125550142`:          `number "=\"+12125550142": is not a phone number`,
		"12125550142.5":           `number "12125550142.5": is too long`,
		"45231.12345":             `number "45231.12345": is a date, as a spreadsheet stores it`,
	} {
		if got, err := ParseTyped(text); err == nil || got != "" || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("ParseTyped(%q) = %q, %v, want %s", text, got, err, want)
		}
	}
}

func TestParseE164_RefusesQuotes(t *testing.T) {
	for _, text := range []string{"'+12125550142", `="+12125550142"`} {
		_, err := ParseE164(text)
		if err == nil || !strings.Contains(err.Error(), "is quoted as in a spreadsheet; write it as +12125550142") {
			t.Errorf("ParseE164(%q): got %v", text, err)
		}
	}
}

// readReport is readList with its report as text.
func readReport(name string, data []byte, options NumbersOptions) (numbers []E164, report []string, err error) {
	numbers, err = readList(name, data, options, func(row NumbersRow) {
		report = append(report, fmt.Sprintf("%d %q %s first=%d %s", row.Row, row.Text, row.Number, row.First, row.Why))
	})
	return numbers, report, err
}

func TestReadNumbers_ReportsEachRow(t *testing.T) {
	table := "Desk;Phone\r\n" + // row 1
		"Front;(212) 555-0142\r\n" +
		"\r\n" + // row 3
		"Back;2125550143\r\n" +
		"Attic;\r\n" + // row 5
		"\"Two\r\nlines\";'+12125550144\r\n" +
		"Door;=\"+12125550145\"\r\n" + // row 7
		"Gate;1-800-555-0142\r\n" +
		"Roof;+12125550146\r\n" + // row 9
		"Front again;+1 212 555 0142\r\n" +
		"Ragged\r\n" + // row 11
		"Hall;+12125550146\r\n"
	want := []E164{"+12125550142", "+12125550143", "+12125550144", "+12125550145", "+12125550146"}
	report := []string{
		`2 "(212) 555-0142" +12125550142 first=0 has no country code`,
		`4 "2125550143" +12125550143 first=0 has no country code`,
		`6 "'+12125550144" +12125550144 first=0 is quoted as in a spreadsheet`,
		`7 "=\"+12125550145\"" +12125550145 first=0 is quoted as in a spreadsheet`,
		`8 "1-800-555-0142"  first=0 is toll-free (area code 800)`,
		`10 "+1 212 555 0142" +12125550142 first=2 has spaces or other separators`,
		`11 ""  first=0 has 1 cell, but the header has 2`,
		`12 "+12125550146" +12125550146 first=9 `,
	}
	for name, data := range map[string]string{
		"plain":       table,
		"sep line":    "sep=;\r\n" + table,
		"quoted line": "\"sep=;\"\n" + table,
		"mark":        byteOrderMark + table,
	} {
		t.Run(name, func(t *testing.T) {
			got, rows, err := readReport("x.csv", []byte(data), NumbersOptions{})
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("got %v, %v, want %v", got, err, want)
			}
			if diff := cmp.Diff(report, rows); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadNumbers_FindsTheNumbers(t *testing.T) {
	two := []E164{"+12125550142", "+12125550143"}
	for _, test := range []struct {
		name, file, data string
		options          NumbersOptions
	}{
		{"text", "x.txt", "# desks\n(212) 555-0142\n\n212.555.0143 # back\n", NumbersOptions{}},
		{"text of another name", "numbers", "212 555 0142\n2125550143", NumbersOptions{}},
		{"text with CR", "x.txt", "2125550142\r2125550143\r", NumbersOptions{}},
		{"tabs", "x.tsv", "Desk\tPhone\nFront\t2125550142\nBack\t2125550143\n", NumbersOptions{}},
		{"tabs, a title with a comma", "x.tsv", "Desks as of now\n\nDesk\tPhone\nFront\t2125550142\nBack\t2125550143\n", NumbersOptions{}},
		{"carriage returns", "x.csv", "Desk,Phone\rFront,2125550142\rBack,2125550143\r", NumbersOptions{}},
		{"title", "x.csv", "Desks,,\nas of 2026-11-29,,\nDesk,Phone,Floor\nFront,2125550142,1\nBack,2125550143,2\n", NumbersOptions{}},
		{"title that is a column's name", "x.csv", "Phone numbers,\nDesk,Phone\nFront,2125550142\nBack,2125550143\n", NumbersOptions{}},
		{"header again as a value", "x.csv", "Kind,Desk,Phone\nMobile,Front,\nMobile,Back,2125550142\nTel,Hall,2125550143\n", NumbersOptions{Column: "Phone"}},
		{"column", "x.csv", "Phone,Main line\n9175550100,2125550142\n9175550101,2125550143\n", NumbersOptions{Column: "main-line"}},
		{"one column, a list", "x.csv", "2125550142\n2125550143\n", NumbersOptions{}},
		{"pipes without a sep line", "x.csv", "Desk|Phone No.\nFront|2125550142\nBack|2125550143\n", NumbersOptions{}},
		{"UTF-16, as Excel's Unicode text", "x.txt", inUTF16(binary.LittleEndian, "Desk\tPhone\r\nKöln\t2125550142\r\n😀\t2125550143\r\n"), NumbersOptions{}},
		{"UTF-16, big end first", "x.csv", inUTF16(binary.BigEndian, "Desk,Phone\r\nFront,2125550142\r\nBack,2125550143\r\n"), NumbersOptions{}},
		{"pipes", "x.csv", "sep=|\nDesk|Phone\nFront|2125550142\nBack|2125550143\n", NumbersOptions{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, rows, err := readReport(test.file, []byte(test.data), test.options)
			if err != nil || !slices.Equal(got, two) {
				t.Errorf("got %v, %v, want %v; %q", got, err, two, rows)
			}
		})
	}
}

// inUTF16 encodes a text with a byte order mark.
func inUTF16(order binary.AppendByteOrder, text string) string {
	var data []byte
	for _, unit := range utf16.Encode([]rune(byteOrderMark + text)) {
		data = order.AppendUint16(data, unit)
	}
	return string(data)
}

func TestReadNumbers_RefusesTheFile(t *testing.T) {
	for _, test := range []struct {
		name, data string
		options    NumbersOptions
		want       string
	}{
		{"no header", "Front,2125550142\n", NumbersOptions{}, "x.csv:1:7: header: is missing: the first row contains a number; put a row with column names first, for example phone_number"},
		{"unknown column below a title", "Desks,\n\nDesk,Line\nFront,2125550142\n", NumbersOptions{}, `x.csv:3:1: header: has no known column of phone numbers; set --column to one of "Desk" or "Line"`},
		{"two columns", "Phone,Mobile\n", NumbersOptions{}, `x.csv:1:1: header: has two columns that may hold the numbers, "Phone" and "Mobile"; set --column to one of the two`},
		{"no such column", "Phone,Mobile\n", NumbersOptions{Column: "Fax"}, `x.csv:1:1: column "Fax": is not a column of x.csv; use one of "Phone" or "Mobile"`},
		{"open quote", "Desk,Phone\n\"Front,2125550142\n", NumbersOptions{}, `x.csv:2:19: row: is not CSV (extraneous or missing " in quoted-field); put cells with quotes in quotes, and double the quotes inside`},
		{"sheet", "Phone\n2125550142\n", NumbersOptions{Sheet: "a\u202eb"}, `x.csv:1:1: sheet "a\u202eb": cannot be chosen, because the file is not an Excel workbook; leave out the sheet`},
		{"old workbook", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", NumbersOptions{}, "x.csv:1:1: file: is an Excel workbook of the old kind (.xls), or has a password; save it as .xlsx without a password, or as CSV UTF-8"},
		{"another archive", "PK\x03\x04", NumbersOptions{}, `x.csv:1:1: file: is not an Excel workbook that can be read ("zip: not a valid zip file"); save it again as .xlsx, or as CSV UTF-8`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, _, err := readReport("x.csv", []byte(test.data), test.options)
			if _, ok := errors.AsType[Faults](err); !ok || got != nil || err.Error() != test.want {
				t.Errorf("got %v and:\n%v\nwant:\n%s", got, err, test.want)
			}
		})
	}
}

func TestReadNumbers_FollowsNoLinkOutOfTheFolder(t *testing.T) {
	secret := write(t, t.TempDir(), "passwd", []byte("2125550142\n"))
	dir := t.TempDir()
	link(t, secret, filepath.Join(dir, "x.txt"))
	for path, want := range map[string]string{
		filepath.Join(dir, "x.txt"): "path escapes from parent",
		dir:                         "not a regular file",
		filepath.Join(dir, "none"):  "no such file or directory",
	} {
		_, err := ReadNumbers(path, NumbersOptions{}, func(NumbersRow) {})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", path, err, want)
		}
	}
	got, err := ReadNumbers(secret, NumbersOptions{}, func(NumbersRow) {})
	if err != nil || len(got) != 1 {
		t.Errorf("got %v, %v", got, err)
	}
}

// workbook makes an Excel workbook with a sheet for each table. A value nil is a blank
// cell, a raw one is stored as it is.
func workbook(t testing.TB, sheets ...[][]any) []byte {
	t.Helper()
	book := excelize.NewFile()
	for i, table := range sheets {
		sheet := fmt.Sprintf("Sheet%d", i+1)
		if _, err := book.NewSheet(sheet); err != nil {
			t.Fatal(err)
		}
		for j, cells := range table {
			for k, value := range cells {
				name, err := excelize.CoordinatesToCellName(k+1, j+1)
				if err != nil {
					t.Fatal(err)
				}
				if stored, ok := value.(raw); ok {
					err = book.SetCellDefault(sheet, name, string(stored))
				} else {
					err = book.SetCellValue(sheet, name, value)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return packed(t, book)
}

type raw string

func packed(t testing.TB, book *excelize.File) []byte {
	t.Helper()
	buffer, err := book.WriteToBuffer()
	if err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

// desks is a sheet as people keep one.
var desks = [][]any{
	{"Desks of the spring campaign"},
	{"as of", "2026-11-29"},
	{"exported", 46355.4309375},
	{"Desk", "Floor", "Phone"},
	{"Front", 1, "(212) 555-0142"},
	{"Back", 2, 12125550143},
	{"Attic", 3, nil},
	{"Door", 4, raw("1.2125550144E10")},
	{"Gate", 5, raw("1.21256E10")},
	{"Roof", 6, "+18005550142", "see note"},
	{"Hall", 7, 2125550145},
}

func TestReadNumbers_ReadsAWorkbook(t *testing.T) {
	got, rows, err := readReport("x", workbook(t, desks), NumbersOptions{})
	if want := []E164{"+12125550142", "+12125550143", "+12125550144", "+12125550145"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if diff := cmp.Diff([]string{
		`5 "(212) 555-0142" +12125550142 first=0 has no country code`,
		`9 "1.21256E10"  first=0 is in scientific notation and may have lost digits`,
		`10 "+18005550142"  first=0 is toll-free (area code 800)`,
		`11 "2125550145" +12125550145 first=0 has no country code`,
	}, rows); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

func TestReadNumbers_ReadsTheSheetThatIsNamed(t *testing.T) {
	data := workbook(t, [][]any{{"Phone"}, {"2125550142"}}, [][]any{{"2125550143"}, {"2125550144"}})
	hidden, err := excelize.OpenReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	hidden.SetActiveSheet(1)
	if err := hidden.SetSheetVisible("Sheet1", false); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, sheet string
		data        []byte
		want        []E164
		fault       string
	}{
		{"first", "", data, []E164{"+12125550142"}, ""},
		{"named, a list", "sheet2", data, []E164{"+12125550143", "+12125550144"}, ""},
		{"first that is not hidden", "", packed(t, hidden), []E164{"+12125550143", "+12125550144"}, ""},
		{"hidden", "Sheet1", packed(t, hidden), []E164{"+12125550142"}, ""},
		{"none", "Desks", data, nil, `x.xlsx:1:1: sheet "Desks": is not in the workbook; use one of "Sheet1" or "Sheet2"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, _, err := readReport("x.xlsx", test.data, NumbersOptions{Sheet: test.sheet})
			if !slices.Equal(got, test.want) || (err == nil) != (test.fault == "") || err != nil && err.Error() != test.fault {
				t.Errorf("got %v, %v, want %v %s", got, err, test.want, test.fault)
			}
		})
	}
}

func TestLoad_ReadsAWorkbook(t *testing.T) {
	plan := strings.Replace(listed, "sub/x.csv", "x.xlsx", 1)
	load := func(table [][]any) (*Set, error) {
		return loadFS(fstest.MapFS{"plan.yaml": {Data: []byte(plan)}, "x.xlsx": {Data: workbook(t, table)}}, ".")
	}
	set, err := load([][]any{{"Desk", "Phone"}, {"Front", "+12125550143"}, {"Back", 12125550144}})
	if err != nil {
		t.Fatal(err)
	}
	if at, _ := set.Campaigns[0].Where("+12125550144"); at != (Position{"x.xlsx", 3, 2}) {
		t.Errorf("got %s, want row 3 and column 2", at)
	}
	_, err = load([][]any{{"Desk", "Phone"}, {"Front", "(212) 555-0143"}, {"Back"}})
	want := "x.xlsx:2:2: number \"(212) 555-0143\": has no country code; write it as +12125550143 if it is a US number\n" +
		"x.xlsx:3:2: number: is empty; write a number like +15551234567, or delete it"
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}

// A sheet whose XML breaks off has fewer rows for excelize, without an error.
func TestReadNumbers_RefusesABrokenWorkbook(t *testing.T) {
	const sheet = "xl/worksheets/sheet1.xml"
	data := workbook(t, desks)
	book, err := excelize.OpenReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	content, _ := book.Pkg.Load(sheet)
	text := content.([]byte)
	for name, broken := range map[string][]byte{
		"cut":          text[:bytes.LastIndex(text, []byte("<row"))],
		"cut in a tag": text[:len(text)-3],
		"wrong end":    bytes.Replace(text, []byte("</row>"), []byte("</raw>"), 1),
	} {
		_, _, err := readReport("x.xlsx", replacePart(t, data, sheet, broken), NumbersOptions{})
		if err == nil || !strings.Contains(err.Error(), "is not an Excel workbook that can be read") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestLoad_SetsInvalidRowsAside(t *testing.T) {
	const plan = "version: 1\ncampaigns: [{name: a, campaign_id: a, numbers_file: x.csv, skip_invalid: %s, max_numbers: 2}]\n"
	const list = "Desk,Phone\nFront,+12125550142\nShop,+18005550142\nNorth,+14165550142\nSouth,n/a\nAttic,\nRagged\nBack,'+12125550143\n"
	load := func(skip, list string) (*Set, error) {
		return loadFS(fstest.MapFS{"plan.yaml": {Data: fmt.Appendf(nil, plan, skip)}, "x.csv": {Data: []byte(list)}}, ".")
	}
	set, err := load("true", list)
	if err != nil {
		t.Fatal(err)
	}
	if want := []E164{"+12125550142", "+12125550143"}; !slices.Equal(set.Campaigns[0].Numbers, want) {
		t.Errorf("got %v, want %v", set.Campaigns[0].Numbers, want)
	}
	want := strings.Join([]string{
		`x.csv:3:6: number "+18005550142": is toll-free (area code 800); remove it: toll-free numbers are verified separately`,
		`x.csv:4:7: number "+14165550142": is not a US number: area code 416 is in Canada; ` + fixNotUS,
		`x.csv:5:7: number "n/a": is not a phone number; ` + fixFormat,
		`x.csv:6:7: number: is empty; write a number like +15551234567, or delete it`,
		`x.csv:7:1: row: has 1 cell, but the header has 2; give it as many, and put cells that contain the separator in quotes`,
	}, "\n")
	if got := set.SetAside.Error(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if _, err := load("false", list); err == nil || !strings.Contains(err.Error(), "\n"+want[:40]) || !strings.Contains(err.Error(), "lists 7 numbers") {
		t.Errorf("without skip_invalid: got %v", err)
	}
	for name, list := range map[string]string{
		"contains no numbers": "Desk,Phone\nShop,+18005550142\n",
		"is not CSV":          "Desk,Phone\nFront,+12125550142\n\"Back,+12125550143\n",
		"is already listed":   "Desk,Phone\nFront,+12125550142\nBack,+12125550142\n",
	} {
		if _, err := load("true", list); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %s", err, name)
		}
	}
	if set, err := load("true", "Phone\n"+strings.Repeat("x\n", 5000)+"+12125550142\n"); err != nil || len(set.SetAside) != maxFaults+1 {
		t.Errorf("got %v, want a bounded list of rows", err)
	}
}

// replacePart returns a workbook with another content of one of its parts.
func replacePart(t *testing.T, data []byte, part string, content []byte) []byte {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var buffer bytes.Buffer
	changed := zip.NewWriter(&buffer)
	for _, file := range archive.File {
		if file.Name != part {
			if err := changed.Copy(file); err != nil {
				t.Fatal(err)
			}
		}
	}
	w, err := changed.Create(part)
	if err == nil {
		_, err = w.Write(content)
	}
	if err := errors.Join(err, changed.Close()); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

func TestReadNumbers_HostileWorkbooksAreBounded(t *testing.T) {
	skipUnderRace(t)
	base := workbook(t, [][]any{{"Phone"}, {"+12125550142"}})
	with := func(part, begin, repeat, end string, times int) []byte {
		return replacePart(t, base, part, []byte(begin+strings.Repeat(repeat, times)+end))
	}
	const (
		sheet = "xl/worksheets/sheet1.xml"
		open  = `<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>`
		end   = `</sheetData></worksheet>`
	)
	for name, data := range map[string][]byte{
		"zip bomb":    with("xl/media/image1.png", "", strings.Repeat("\x00", 1<<10), "", 1<<16),
		"wide rows":   with(sheet, open, `<row><c r="XFD1"><v>1</v></c></row>`, end, part(50_000)),
		"cells":       with(sheet, open+"<row>", `<c/>`, "</row>"+end, part(950_000)),
		"last rows":   with(sheet, open, `<row r="1048576"><c><v>1</v></c></row>`, end, part(300_000)),
		"beyond":      with(sheet, open, `<row r="1048577"><c><v>1</v></c></row>`, end, 1),
		"attributes":  with(sheet, `<worksheet `, `a="" `, `><sheetData/></worksheet>`, part(950_000)),
		"strings":     with("xl/sharedStrings.xml", `<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">`, `<si/>`, `</sst>`, part(950_000)),
		"depth":       with(sheet, open, `<a>`, "", part(900_000)),
		"bad indexes": with(sheet, open, `<row><c t="s"><v>-1</v></c></row>`, end, 1000),
		"bad names":   with(sheet, open, `<row><c r="?"><v>1</v></c></row>`, end, 1000),
		"no sheets":   with("xl/workbook.xml", "<workbook/>", "", "", 1),
		"no workbook": with("xl/workbook.xml", "<x/>", "", "", 1),
	} {
		t.Run(name, func(t *testing.T) {
			if len(data) > maxFileSize {
				t.Fatalf("the file is %d bytes, more than is read", len(data))
			}
			allocated := allocation(func() {
				got, _, err := readReport("x.xlsx", data, NumbersOptions{})
				if len(got) > 0 || err != nil && len(err.Error()) > 1<<20 {
					t.Errorf("got %v, %.200v", got, err)
				}
			})
			t.Logf("allocated %d MiB", allocated>>20)
			if allocated > 2*maxMemory {
				t.Errorf("allocated %d MiB, want at most %d", allocated>>20, 2*maxMemory>>20)
			}
		})
	}
}

// FuzzReadNumbers: the reader never panics; an accepted number is canonical and listed
// once; a reported row is within the file; a fault is one line and gives no numbers.
func FuzzReadNumbers(f *testing.F) {
	for _, folder := range []string{"good", "faults"} {
		paths, _ := filepath.Glob(filepath.Join("testdata", folder, "numbers_*.txtar"))
		for _, path := range paths {
			for _, data := range seeds(f, path) {
				f.Add("x.csv", "", data)
			}
		}
	}
	f.Add("x.tsv", "Phone", []byte("Desk\tPhone\nFront\t(212) 555-0142\n"))
	f.Add("x.txt", "", []byte("(212) 555-0142\n'+12125550143\n=\"+12125550144\"\n"))
	f.Add("x.xlsx", "", workbook(f, desks))
	canonical := regexp.MustCompile(`^\+1[2-9][0-9]{9}$`)
	f.Fuzz(func(t *testing.T, name, column string, data []byte) {
		data = data[:min(len(data), 16<<10)] // long ones are slow
		name = "x" + filepath.Ext(Printable(name))
		lines := bytes.Count(data, []byte("\n")) + bytes.Count(data, []byte("\r")) + 1
		if bytes.HasPrefix(data, []byte("PK")) {
			lines = excelize.TotalRows
		}
		numbers, err := readList(name, data, NumbersOptions{Column: column}, func(row NumbersRow) {
			if row.Row < 1 || row.Row > lines || row.First >= row.Row || row.First == 0 && row.Why == "" || row.Number == "" && row.Fix == "" {
				t.Fatalf("bad row %+v", row)
			}
		})
		if err != nil {
			faults, ok := errors.AsType[Faults](err)
			if !ok || numbers != nil || len(faults) == 0 {
				t.Fatalf("got %v and %v, want faults alone", numbers, err)
			}
			for _, fault := range faults {
				if fault.File != name || strings.ContainsAny(fault.What+fault.Why+fault.Fix, "\n\r\x00\x1b") {
					t.Fatalf("bad fault %q", fault)
				}
			}
		}
		seen := map[E164]bool{}
		for _, n := range numbers {
			if seen[n] || !canonical.MatchString(string(n)) {
				t.Fatalf("got %s twice, or not canonical", n)
			}
			seen[n] = true
		}
	})
}

// The canonical list is a numbers_file.
func TestReadNumbers_GivesANumbersFile(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "desks.xlsx", workbook(t, desks))
	numbers, err := ReadNumbers(path, NumbersOptions{}, func(NumbersRow) {})
	if err != nil {
		t.Fatal(err)
	}
	var list strings.Builder
	for _, n := range numbers {
		fmt.Fprintln(&list, n)
	}
	write(t, dir, "spring.txt", []byte(list.String()))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	set, err := Load(write(t, dir, "plan.yaml", []byte(linkedPlan)))
	if err != nil || len(set.Campaigns[0].Numbers) != len(numbers) {
		t.Errorf("got %v, %v", set, err)
	}
}

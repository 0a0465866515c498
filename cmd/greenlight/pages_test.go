package main

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// Page is a documentation page.
type Page struct {
	// Path is from the root of the repository, with slashes.
	Path string
	Text string
}

// Pages returns every page of the repository at root: README.md and its neighbours,
// and what lies under docs and deploy.
func Pages(t testing.TB, root string) []Page {
	t.Helper()
	var pages []Page
	read := func(name string) {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, Page{filepath.ToSlash(name), string(text)})
	}
	beside, err := filepath.Glob(filepath.Join(root, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range beside {
		read(filepath.Base(found))
	}
	for _, folder := range []string{"docs", "deploy"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(found string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() && path.Ext(found) == ".md" {
				name, _ := filepath.Rel(root, found) // both begin with root
				read(name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return pages
}

// Command is a command line that a page shows.
type Command struct {
	// Where is the page and the line in it.
	Where string
	// Text is the line as it is shown.
	Text string
	// Sets are the variables that it sets itself, for example NATS_URL.
	Sets []string
	// Words are the program and its arguments, with placeholders, for example
	// <campaign id>, as one word. None if the line only sets variables. "go run
	// ./cmd/x" is x, and so is ./x.
	Words []string
	// Whole is true if it is in a block, to be pasted; else it is in a sentence,
	// which may leave arguments out.
	Whole bool
}

// Program is the first of the words, empty if there are none.
func (c Command) Program() string {
	if len(c.Words) == 0 {
		return ""
	}
	return c.Words[0]
}

var (
	block  = regexp.MustCompile("(?ms)^([ \t]*)```(\\w*)\n(.*?)^[ \t]*```[ \t]*$")
	inline = regexp.MustCompile("`([^`]+)`")
	// value is a placeholder that a reader replaces.
	value = regexp.MustCompile(`<[a-z][^<>]*>`)
	// optional may be left out; of several the first is as good as any.
	optional = regexp.MustCompile(`\[([^\]|]+)(\|[^\]]*)?\]`)
	setting  = regexp.MustCompile(`^[A-Z][A-Z0-9_]*=`)
	phrase   = regexp.MustCompile(`^[a-z]+ [^=]`)
)

// Commands returns the command lines of the pages: those in blocks of kind sh or
// console, and those in sentences that begin with a lower-case word and have several.
func Commands(t testing.TB, pages []Page) []Command {
	t.Helper()
	var all []Command
	for _, page := range pages {
		line := func(offset int) string {
			return fmt.Sprintf("%s:%d", page.Path, 1+strings.Count(page.Text[:offset], "\n"))
		}
		for _, found := range block.FindAllStringSubmatchIndex(page.Text, -1) {
			kind, body, start := page.Text[found[4]:found[5]], page.Text[found[6]:found[7]], found[6]
			if kind != "sh" && kind != "console" {
				continue
			}
			// A line that ends in a backslash continues in the next; both keep their length.
			for text := range strings.Lines(strings.ReplaceAll(body, "\\\n", "  ")) {
				where := line(start)
				start += len(text)
				text = strings.TrimSpace(text)
				shown, typed := strings.CutPrefix(text, "$ ")
				if kind == "console" && !typed || text == "" || strings.HasPrefix(text, "#") {
					continue
				}
				all = append(all, commands(t, where, shown, true)...)
			}
		}
		prose := block.ReplaceAllStringFunc(page.Text, func(block string) string { return strings.Repeat("\n", strings.Count(block, "\n")) })
		for _, found := range inline.FindAllStringSubmatchIndex(prose, -1) {
			text := strings.Join(strings.Fields(strings.ReplaceAll(prose[found[2]:found[3]], `\|`, "|")), " ")
			if phrase.MatchString(text) {
				where := fmt.Sprintf("%s:%d", page.Path, 1+strings.Count(prose[:found[2]], "\n"))
				all = append(all, commands(t, where, text, false)...)
			}
		}
	}
	return all
}

// commands takes a line apart into the commands in it.
func commands(t testing.TB, where, text string, whole bool) (all []Command) {
	t.Helper()
	filled := value.ReplaceAllString(text, "VALUE")
	if !whole {
		filled = optional.ReplaceAllString(filled, "$1")
	}
	words, err := shellWords(filled)
	if err != nil {
		t.Errorf("%s: %s: %v", where, text, err)
		return nil
	}
	for _, part := range split(words, "&&", "||", "|", ";") {
		c := Command{Where: where, Text: text, Whole: whole}
		if len(part) > 0 && (part[0] == "export" || part[0] == "exec") {
			part = part[1:]
		}
		for len(part) > 0 && setting.MatchString(part[0]) {
			name, _, _ := strings.Cut(part[0], "=")
			c.Sets, part = append(c.Sets, name), part[1:]
		}
		if len(part) > 2 && part[0] == "go" && part[1] == "run" && strings.HasPrefix(part[2], "./cmd/") {
			part = append([]string{path.Base(part[2])}, part[3:]...)
		}
		if len(part) > 0 {
			part[0] = strings.TrimPrefix(part[0], "./")
		}
		c.Words = part
		all = append(all, c)
	}
	return all
}

// split cuts words at separators.
func split(words []string, separators ...string) (parts [][]string) {
	var part []string
	for _, word := range words {
		if slices.Contains(separators, word) {
			parts, part = append(parts, part), nil
			continue
		}
		part = append(part, word)
	}
	return append(parts, part)
}

// shellWords cuts a line into words as a shell does, as far as pages need it: quotes of
// both kinds, and a comment at the end.
func shellWords(line string) (words []string, err error) {
	var word strings.Builder
	begun, quote := false, rune(0)
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, begun = r, true
		case r == '#' && !begun:
			return words, nil
		case r == ' ' || r == '\t':
			if begun {
				words = append(words, word.String())
				word.Reset()
				begun = false
			}
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quote %c is not closed", quote)
	}
	if begun {
		words = append(words, word.String())
	}
	return words, nil
}

// Line is what a command line asks a program for: the names of the subcommand, the
// flags, and of which kind each operand is.
type Line struct {
	Path     string
	Flags    []string
	Operands []Kind
}

func (l Line) String() string {
	words := append([]string{l.Path}, l.Flags...)
	for _, operand := range l.Operands {
		words = append(words, "<"+string(operand)+">")
	}
	return strings.Join(words, " ")
}

// Kind is the form of an operand: a plan that is one file and a folder of plans are
// not the same to a program, and a phone number is not a name.
type Kind string

// The kinds. Any is what a page leaves to the reader, for example NUMBER or <campaign id>.
const (
	Any    Kind = "any"
	File   Kind = "file"
	Folder Kind = "folder"
	Number Kind = "number"
	Word   Kind = "word"
)

var (
	phoneNumber = regexp.MustCompile(`^\+[0-9]+$`)
	placeholder = regexp.MustCompile(`^[A-Z_]+$`)
)

// kindOf returns the kind of an operand that the program calls name.
func kindOf(name, operand string) Kind {
	switch {
	case placeholder.MatchString(operand):
		return Any
	case phoneNumber.MatchString(operand):
		return Number
	case name != "path":
		return Word
	case path.Ext(operand) != "":
		return File
	default:
		return Folder
	}
}

// asksOnly reports whether it only asks what the program is, and has it do nothing.
func (l Line) asksOnly() bool {
	return slices.Contains(l.Flags, "--help") || slices.Contains(l.Flags, "--version")
}

// covers reports whether it asks for all that other does, of as many operands of the
// same kinds. With none a program takes something else, so that is another line.
func (l Line) covers(other Line) bool {
	return l.Path == other.Path && l.asksOnly() == other.asksOnly() &&
		!slices.ContainsFunc(other.Flags, func(flag string) bool { return !slices.Contains(l.Flags, flag) }) &&
		slices.EqualFunc(l.Operands, other.Operands, func(a, b Kind) bool { return a == b || a == Any || b == Any })
}

// Parser is a program's own parser of command lines.
type Parser struct{ kong *kong.Kong }

// NewParser returns the parser of a program whose command line cli, a pointer to a
// struct for kong, describes.
func NewParser(t testing.TB, program string, cli any) Parser {
	t.Helper()
	parser, err := kong.New(cli, kong.Name(program), kong.Vars{"min_server": "", "version": "", "admin_listen": ""}, kong.Exit(func(int) {}), kong.Writers(io.Discard, io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	return Parser{parser}
}

// Parse reads arguments without running anything. With whole, nothing that is needed
// may be left out; else operands that are needed and left out are of any kind, since
// the line only names the command.
func (p Parser) Parse(args []string, whole bool) (Line, error) {
	found, err := kong.Trace(p.kong, args)
	if err != nil {
		return Line{}, err
	}
	if found.Error != nil {
		return Line{}, found.Error
	}
	line := Line{Path: p.kong.Model.Name}
	for _, element := range found.Path {
		switch {
		case element.Command != nil:
			line.Path += " " + element.Command.Name
		case element.Flag != nil:
			line.Flags = append(line.Flags, "--"+element.Flag.Name)
		case element.Positional != nil:
			line.Operands = append(line.Operands, operands(element.Positional.Name, found.Value(element))...)
		}
	}
	if !whole && len(line.Operands) == 0 && !line.asksOnly() {
		line.Operands = needed(found.Selected())
	}
	slices.Sort(line.Flags)
	line.Flags = slices.Compact(line.Flags)
	if whole && !line.asksOnly() {
		if _, err := p.kong.Parse(args); err != nil {
			return Line{}, err
		}
	}
	return line, nil
}

// needed returns any kind for each operand that a command cannot do without.
func needed(command *kong.Node) (kinds []Kind) {
	if command == nil {
		return nil
	}
	for _, operand := range command.Positional {
		if operand.Required {
			kinds = append(kinds, Any)
		}
	}
	return kinds
}

// operands returns the kinds of what a positional argument was given, one or several.
func operands(name string, given reflect.Value) (kinds []Kind) {
	if given.Kind() != reflect.Slice {
		return []Kind{kindOf(name, fmt.Sprint(given.Interface()))}
	}
	for i := range given.Len() {
		kinds = append(kinds, kindOf(name, fmt.Sprint(given.Index(i).Interface())))
	}
	return kinds
}

// Flags returns the names of all flags, and Variables those of the environment that
// are their defaults.
func (p Parser) Flags() (flags, variables []string) {
	for _, node := range append([]*kong.Node{p.kong.Model.Node}, leaves(p.kong.Model.Node)...) {
		for _, flag := range node.Flags {
			flags = append(flags, flag.Name)
			variables = append(variables, flag.Tag.Envs...)
		}
	}
	return flags, variables
}

func leaves(node *kong.Node) (all []*kong.Node) {
	for _, child := range node.Children {
		all = append(append(all, child), leaves(child)...)
	}
	return all
}

// scriptRun is how a line of a script begins that has a program run: by exec, or by a command
// of ours like run, and not after a ! that says that it is refused.
var scriptRun = regexp.MustCompile(`^(?:\[[^\]]*\] )?(?:exec|run|(?:poll|code) (?:'(?:[^']|'')*'|\S+)(?: exec)?) `)

// scriptCommands returns the commands that the testscripts in a folder run, word by
// word, and in which file; of a line for sh -c those that are in it.
func scriptCommands(t testing.TB, folder string) map[string][][]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no scripts: %v", folder, err)
	}
	all := make(map[string][][]string)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		script, _, _ := strings.Cut(string(text), "\n-- ")
		for line := range strings.Lines(script) {
			begin := scriptRun.FindString(line)
			words, err := shellWords(strings.TrimSpace(line[len(begin):]))
			if begin == "" || err != nil || len(words) == 0 {
				continue
			}
			if last := len(words) - 1; strings.HasPrefix(words[last], "&") {
				words = words[:last]
			}
			if len(words) != 3 || words[0] != "sh" || words[1] != "-c" {
				all[file] = append(all[file], words)
				continue
			}
			for _, c := range commands(t, file, words[2], true) {
				all[file] = append(all[file], c.Words)
			}
		}
	}
	return all
}

// ScriptLines returns what the testscripts in a folder have the program do, and in
// which file.
func (p Parser) ScriptLines(t testing.TB, folder string) map[string][]Line {
	t.Helper()
	all := make(map[string][]Line)
	for file, commands := range scriptCommands(t, folder) {
		for _, words := range commands {
			at := slices.Index(words, p.kong.Model.Name)
			if at < 0 {
				continue
			}
			if asked, err := p.Parse(words[at+1:], false); err == nil {
				all[file] = append(all[file], asked)
			}
		}
	}
	return all
}

// RunsVerbatim reports whether a testscript in a folder runs the command word for word, by
// itself or by a shell whose outcome the script checks. A placeholder is any
// there, and where a sentence leaves arguments out the script may have more.
func RunsVerbatim(t testing.TB, folder string, c Command) bool {
	t.Helper()
	for _, commands := range scriptCommands(t, folder) {
		if slices.ContainsFunc(commands, c.isRunBy) {
			return true
		}
	}
	return false
}

func (c Command) isRunBy(words []string) bool {
	if len(words) < len(c.Words) || c.Whole && len(words) > len(c.Words) {
		return false
	}
	for i, word := range c.Words {
		pattern := strings.ReplaceAll(regexp.QuoteMeta(word), "VALUE", ".+")
		if !regexp.MustCompile("^" + pattern + "$").MatchString(words[i]) {
			return false
		}
	}
	return true
}

// Check fails the test for each command line of the program that its parser refuses,
// and for each that no script of the package in folder runs, unless elsewhere says which
// Go test of it does. What elsewhere has for nothing is at fault too.
func (p Parser) Check(t testing.TB, commands []Command, folder string, elsewhere map[string]string) {
	t.Helper()
	scripts := p.ScriptLines(t, filepath.Join(folder, "testdata/script"))
	used, seen := make(map[string]bool), 0
	for _, c := range commands {
		if c.Program() != p.kong.Model.Name {
			continue
		}
		seen++
		asked, err := p.Parse(c.Words[1:], c.Whole)
		if err != nil {
			t.Errorf("%s: %s: %v", c.Where, c.Text, err)
			continue
		}
		inScript := slices.ContainsFunc(slices.Collect(maps.Values(scripts)), func(lines []Line) bool {
			return slices.ContainsFunc(lines, func(line Line) bool { return line.covers(asked) })
		})
		_, excused := elsewhere[asked.String()]
		switch {
		case !inScript && !excused:
			t.Errorf("%s: %s: no script in %s runs %q; let one do so", c.Where, c.Text, folder, asked)
		case !inScript:
			used[asked.String()] = true
		}
	}
	for line, test := range elsewhere {
		if !testExists(t, folder, test) {
			t.Errorf("%q: there is no test %s in this folder", line, test)
		}
		if !used[line] {
			t.Errorf("%q: a script runs it, or no page shows it, so it need not be said that %s does", line, test)
		}
	}
	if seen == 0 {
		t.Errorf("the pages show no command of %s", p.kong.Model.Name)
	}
}

// testExists reports whether a test of that name is in the folder.
func testExists(t testing.TB, folder, name string) bool {
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(files, func(file string) bool {
		text, err := os.ReadFile(file)
		return err == nil && strings.Contains(string(text), "\nfunc "+name+"(")
	})
}

package plan

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Load reads the plan file at a path, or every plan file in and under the folder
// at it. In a folder those are the files named *.yaml and *.yml; names that begin
// with a dot are passed over, files and folders alike, so that a mounted
// Kubernetes ConfigMap is read once, through its links and not through ..data.
// Links to files are followed within the folder, so that nobody can have a file of
// the machine quoted by committing a link; links to folders are refused, because
// plans that nobody sees being left out would be worse. A relative path is opened
// within the working directory for the same reason.
//
// The error is a [Faults] with every fault of every file, and then there is no
// Set: a plan is taken as a whole or not at all.
func Load(name string) (*Set, error) {
	folder, root, err := openFolder(name)
	if err != nil {
		return nil, unreadable(Printable(name), err)
	}
	defer folder.Close()
	l := loader{fsys: folder.FS(), show: func(file string) string {
		if root != "." {
			return Printable(name[:len(name)-len(root)] + filepath.FromSlash(file))
		}
		return Printable(filepath.Join(name, filepath.FromSlash(file)))
	}}
	return l.load(root)
}

// openFolder opens the folder at a path, or the one in which the file at it lies, and
// returns what to read in it: "." or the file's name. No link leads out of it.
func openFolder(name string) (folder *os.Root, root string, err error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, "", err
	}
	path, root := name, "."
	if !info.IsDir() {
		path, root = filepath.Dir(name), filepath.Base(name)
	}
	if !filepath.IsLocal(path) {
		folder, err = os.OpenRoot(path)
		return folder, root, err
	}
	here, err := os.OpenRoot(".")
	if err != nil {
		return nil, "", err
	}
	folder, err = here.OpenRoot(path)
	return folder, root, errors.Join(err, here.Close())
}

// Printable returns a path with slashes as it is safe to print: control characters,
// marks that turn the direction of writing and the like are written as in Go strings.
// Nothing in it is a command to GitHub's or Azure's runners, which read them from the
// beginning of a line (::) or anywhere in it (##).
func Printable(path string) string {
	name := filepath.ToSlash(path)
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }) {
		name = strings.Trim(strconv.QuoteToGraphic(name), `"`)
	}
	if strings.HasPrefix(name, "::") {
		name = "./" + name
	}
	return strings.ReplaceAll(name, "##", `#\x23`)
}

// timeGrain is longer than a tick of the clock by which file systems note changes.
const timeGrain = 50 * time.Millisecond

// Fingerprint returns what the plan files at a path look like now: the name, size, time
// of change and mode of each plan file, and of the other files that set, which may be
// nil, was read from. It is another one after a change, and the same again once the
// files hold still. It reads no file; what cannot be looked at counts as missing.
func Fingerprint(name string, set *Set) string {
	folder, root, err := openFolder(name)
	if err != nil {
		return "missing"
	}
	defer folder.Close()
	fsys := folder.FS()
	var names []string
	// The loader reports what the walk cannot read.
	_ = fs.WalkDir(fsys, root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name != root && strings.HasPrefix(entry.Name(), ".") {
			return skip(entry)
		}
		if isPlan(name) && !entry.IsDir() {
			names = append(names, name)
		}
		return nil
	})
	if set != nil {
		names = append(names, set.read...)
	}
	slices.Sort(names)
	looks := fnv.New128a()
	for _, name := range slices.Compact(names) {
		fmt.Fprintf(looks, "%q", name)
		if info, err := fs.Stat(fsys, name); err == nil {
			fmt.Fprint(looks, info.Size(), info.ModTime().UnixNano(), info.Mode())
			if time.Since(info.ModTime()).Abs() < timeGrain {
				fmt.Fprint(looks, time.Now()) // another change now may have the same time
			}
		}
	}
	return hex.EncodeToString(looks.Sum(nil))
}

// LoadBytes is [Load] for one file that is in memory already. The name is what
// faults and positions call it. There is no folder to look for a numbers_file in,
// so a plan with one is refused.
func LoadBytes(name string, data []byte) (*Set, error) {
	var l loader
	l.readBytes(Printable(name), data, nil)
	return l.set()
}

// loader gathers plan files and their faults. It is used once.
type loader struct {
	fsys fs.FS
	// show turns a name in fsys into the path that people know.
	show  func(name string) string
	files []string
	// read are the files by their names in fsys.
	read    []string
	entries []entry
	faults  collector
	// lists are the numbers files that were read, and where they were named.
	lists firsts[string]
}

// load reads the file or folder and makes a Set of it.
func (l *loader) load(root string) (*Set, error) {
	info, err := fs.Stat(l.fsys, root)
	switch {
	case err != nil:
		return nil, unreadable(l.show(root), err)
	case info.IsDir():
		l.readFolder(root)
	default:
		l.readFile(root, info)
	}
	return l.set()
}

// readFolder reads every plan file in and under a folder.
func (l *loader) readFolder(root string) {
	fs.WalkDir(l.fsys, root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			l.cannotRead(name, err)
			return skip(entry)
		case name == root:
			return nil
		case strings.HasPrefix(entry.Name(), "."):
			return skip(entry)
		case entry.IsDir():
			return nil
		}
		l.readEntry(name, entry)
		return nil
	})
	if len(l.files) == 0 && len(l.faults.faults) == 0 {
		l.fault(root, "folder", "holds no plan", "put a file *.yaml in it, see config/plan.example.yaml")
	}
}

// skip passes over a folder with all that it holds, or one file.
func skip(entry fs.DirEntry) error {
	if entry != nil && entry.IsDir() {
		return fs.SkipDir
	}
	return nil
}

// readEntry reads one file of a folder if it is a plan.
func (l *loader) readEntry(name string, entry fs.DirEntry) {
	isLink := entry.Type()&fs.ModeSymlink != 0
	if !isLink && !isPlan(name) {
		return
	}
	info, err := fs.Stat(l.fsys, name)
	switch {
	case err != nil && isPlan(name):
		l.cannotRead(name, err)
	case err != nil:
	case info.IsDir():
		l.fault(name, "link", "leads to a folder, and those are not followed", "link the plan files themselves")
	case isPlan(name):
		l.readFile(name, info)
	}
}

// isPlan reports whether a file in a folder is a plan by its name.
func isPlan(name string) bool {
	extension := strings.ToLower(path.Ext(name))
	return extension == ".yaml" || extension == ".yml"
}

// readFile reads one plan file.
func (l *loader) readFile(name string, info fs.FileInfo) {
	if !info.Mode().IsRegular() {
		// Opening a pipe would wait until somebody writes to it.
		l.fault(name, "file", "is no regular file", "write the plan to one")
		return
	}
	data, err := readAtMost(l.fsys, name, maxFileSize+1)
	if err != nil {
		l.cannotRead(name, err)
		return
	}
	l.read = append(l.read, name)
	l.readBytes(l.show(name), data, func(list string, at Position) (string, []byte, *refusal) {
		return l.openNumbers(path.Join(path.Dir(name), list), at)
	})
}

// refusal is what a [Fault] says but for its place.
type refusal struct{ why, mend string }

// openNumbers reads a numbers_file that is named at the given place, and returns
// what people know it by and its beginning.
func (l *loader) openNumbers(name string, at Position) (file string, data []byte, refused *refusal) {
	info, err := fs.Stat(l.fsys, name)
	if err == nil && !info.Mode().IsRegular() {
		return "", nil, &refusal{"is no regular file", "name a text or CSV file"}
	}
	if l.lists == nil {
		l.lists = firsts[string]{}
	}
	if first := l.lists.claim(name, at); first != nil {
		return "", nil, &refusal{"is used already, see " + first.String(), "put each number on one campaign"}
	}
	if err == nil {
		data, err = readAtMost(l.fsys, name, maxFileSize+1)
	}
	if err != nil {
		return "", nil, &refusal{fmt.Sprintf("cannot be read (%v)", reason(err)), "check the path, which begins in the plan's own folder, and its permissions"}
	}
	file = l.show(name)
	l.files, l.read = append(l.files, file), append(l.read, name)
	return file, data, nil
}

// readAtMost reads the beginning of a file, whatever size it claims to have.
func readAtMost(fsys fs.FS, name string, most int64) ([]byte, error) {
	file, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, most))
}

// readBytes reads one plan.
func (l *loader) readBytes(name string, data []byte, open func(string, Position) (string, []byte, *refusal)) {
	r := reader{file: name, faults: &l.faults, open: open}
	r.read(data)
	l.files = append(l.files, name)
	l.entries = append(l.entries, r.entries...)
}

// cannotRead reports a file or folder that cannot be read.
func (l *loader) cannotRead(name string, err error) {
	for _, fault := range unreadable(l.show(name), err) {
		l.faults.add(fault.Position(), fault.What, fault.Why, fault.Mend)
	}
}

// fault reports a fault in a file as a whole.
func (l *loader) fault(name, what, why, mend string) {
	l.faults.add(Position{l.show(name), 1, 1}, what, why, mend)
}

// unreadable is the fault of what cannot be read at all.
func unreadable(name string, err error) Faults {
	return Faults{{
		File: name, Line: 1, Column: 1,
		What: "file", Why: fmt.Sprintf("cannot be read (%v)", reason(err)), Mend: "check the path and its permissions",
	}}
}

// reason is an error without the path, where that is told already.
func reason(err error) error {
	if broken, ok := errors.AsType[*fs.PathError](err); ok {
		return broken.Err
	}
	return err
}

// set checks the rules between campaigns and makes the Set.
func (l *loader) set() (*Set, error) {
	slices.SortStableFunc(l.entries, func(a, b entry) int { return a.Position.compare(b.Position) })
	validate(l.entries, &l.faults)
	if err := l.faults.err(); err != nil {
		return nil, err
	}
	slices.Sort(l.files)
	set := &Set{Files: l.files, read: l.read, Campaigns: make([]Campaign, len(l.entries))}
	for i, e := range l.entries {
		set.Campaigns[i] = e.campaign()
	}
	slices.SortFunc(set.Campaigns, func(a, b Campaign) int { return cmp.Compare(a.Name, b.Name) })
	set.Hash = set.hash()
	set.buildIndex()
	return set, nil
}

// campaign returns the entry as the Set holds it.
func (e entry) campaign() Campaign {
	slices.SortFunc(e.numbers, func(a, b placed) int { return cmp.Compare(a.number, b.number) })
	c := e.Campaign
	c.Numbers, c.Places = make([]E164, len(e.numbers)), make([]Position, len(e.numbers))
	for i, n := range e.numbers {
		c.Numbers[i], c.Places[i] = n.number, n.at
	}
	return c
}

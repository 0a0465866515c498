package plan

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
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

// Load reads the plan file at a path, or every plan file in a folder and below it. In a
// folder those are the files named *.yaml and *.yml. Names that start with a dot are
// skipped, files and folders alike, so that a mounted Kubernetes ConfigMap is read once,
// through its links and not through ..data.
//
// Links to files are followed within the folder only, so that a committed link cannot
// make Greenlight quote another file of the machine. A relative path is opened within
// the working directory for the same reason. Links to folders are refused: leaving plans
// out silently would be worse.
//
// The error is a [Faults] with every fault of every file. There is no Set then: a plan
// is loaded as a whole or not at all.
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

// openFolder opens the folder at a path, or the folder of the file at it, and returns
// what to read there: "." or the file's name. Links cannot lead out of it.
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

// Printable returns a path with slashes that is safe to print: control characters, marks
// that change the direction of text and the like are escaped as in Go strings. It holds
// no command for GitHub's or Azure's runners, which read one at the start of a line (::)
// or anywhere in it (##).
func Printable(path string) string {
	name := printable(filepath.ToSlash(path))
	if strings.HasPrefix(name, "::") {
		name = "./" + name
	}
	return name
}

// printable returns a text on one line that holds no command for a terminal or for Azure's
// runners.
func printable(text string) string { return strings.ReplaceAll(escaped(text), "##", `#\x23`) }

// escaped returns a text in which characters that do not print are escaped as in Go
// strings. Text without any is returned as it is.
func escaped(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }) {
		return text
	}
	quoted := strconv.QuoteToGraphic(text)
	return quoted[1 : len(quoted)-1]
}

const (
	// timeGrain is the longest time within which two changes of a file may have the same
	// modification time. It is that of FAT; others take nanoseconds to a second.
	timeGrain = 2 * time.Second
	// rereadEvery is the time between two readings of files that seem unchanged.
	rereadEvery = 30 * time.Second
)

// Fingerprints show when plan files change. They remember digests of contents, and read
// only files that seem changed: large ones on a network volume are compared every second.
// The zero value is ready. Not safe for concurrent use.
type Fingerprints struct {
	seen   map[string]content
	reread time.Time // when all files were read last
}

// content is the digest of a file's content when its state was info.
type content struct {
	info    fs.FileInfo
	settled bool // before it was read
	digest  [sha256.Size]byte
}

// Of returns a digest of the plan files at a path, and of the other files that set, which
// may be nil, was read from: their names, modes and contents. It differs after a change;
// up to half a minute later if the file kept its size, its time and its place on the disk.
// What cannot be read counts as missing.
func (f *Fingerprints) Of(name string, set *Set) string {
	folder, root, err := openFolder(name)
	if err != nil {
		return "missing"
	}
	defer folder.Close()
	if time.Since(f.reread) >= rereadEvery {
		f.seen, f.reread = nil, time.Now()
	}
	fsys, hash, seen := folder.FS(), sha256.New(), map[string]content{}
	add := func(name string) {
		info, err := fs.Stat(fsys, name)
		switch {
		case err != nil:
		case info.Mode().IsRegular():
			if now, err := f.read(fsys, name, info); err == nil {
				seen[name] = now
				fmt.Fprintf(hash, "%q %v %x\n", name, info.Mode(), now.digest)
			}
		default:
			fmt.Fprintf(hash, "%q %v %d\n", name, info.Mode(), info.ModTime().UnixNano())
		}
	}
	walk(fsys, root, func(name string, entry fs.DirEntry, err error) {
		if err == nil && (isPlan(name) || entry.IsDir()) {
			add(name)
		}
	})
	if set != nil {
		for _, name := range set.read {
			if _, walked := seen[name]; !walked {
				add(name)
			}
		}
	}
	f.seen = seen
	return hex.EncodeToString(hash.Sum(nil))
}

// read returns the content of a file. It opens the file only if that seems changed since it
// was read last, or had not settled by then.
func (f *Fingerprints) read(fsys fs.FS, name string, info fs.FileInfo) (content, error) {
	last, found := f.seen[name]
	if found && last.settled && os.SameFile(last.info, info) &&
		last.info.Size() == info.Size() && last.info.ModTime().Equal(info.ModTime()) {
		return last, nil
	}
	now := content{info: info, settled: time.Since(info.ModTime()) > timeGrain}
	file, err := fsys.Open(name)
	if err != nil {
		return now, err
	}
	defer file.Close()
	hash := sha256.New()
	_, err = io.Copy(hash, io.LimitReader(file, maxFileSize+1))
	copy(now.digest[:], hash.Sum(nil))
	return now, err
}

// walk calls visit for root and for everything below it except names that start with a
// dot. A folder that cannot be read is visited with its error.
func walk(fsys fs.FS, root string, visit func(name string, entry fs.DirEntry, err error)) {
	_ = fs.WalkDir(fsys, root, func(name string, entry fs.DirEntry, err error) error {
		hidden := name != root && strings.HasPrefix(entry.Name(), ".")
		if !hidden {
			visit(name, entry, err)
		}
		if (hidden || err != nil) && entry != nil && entry.IsDir() {
			return fs.SkipDir
		}
		return nil
	})
}

// LoadBytes is [Load] for one file in memory. Faults and positions use the given name.
// There is no folder to open a numbers_file in, so a plan with one is refused.
func LoadBytes(name string, data []byte) (*Set, error) {
	var l loader
	l.readBytes(Printable(name), data, nil)
	return l.set()
}

// loader gathers plan files and their faults. It is used once.
type loader struct {
	fsys fs.FS
	// show turns a name in fsys into the path that faults name.
	show  func(name string) string
	files []string
	// read are the same files by their names in fsys.
	read    []string
	entries []entry
	faults  collector
	aside   collector
	// lists are the numbers files that were read, and where they were named.
	lists firsts[string]
}

// load reads the file or folder and returns its Set.
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

// readFolder reads every plan file in a folder and below it.
func (l *loader) readFolder(root string) {
	walk(l.fsys, root, func(name string, entry fs.DirEntry, err error) {
		switch {
		case err != nil:
			l.cannotRead(name, err)
		case !entry.IsDir():
			l.readEntry(name, entry)
		}
	})
	if len(l.files) == 0 && len(l.faults.faults) == 0 {
		l.fault(root, "folder", "contains no plans", "add a *.yaml file, see config/plan.example.yaml")
	}
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
		l.fault(name, "link", "points to a folder, and links to folders are not followed", "link the plan files themselves")
	case isPlan(name):
		l.readFile(name, info)
	}
}

// isPlan reports whether a file in a folder is a plan, by its name.
func isPlan(name string) bool {
	extension := strings.ToLower(path.Ext(name))
	return extension == ".yaml" || extension == ".yml"
}

// readFile reads one plan file.
func (l *loader) readFile(name string, info fs.FileInfo) {
	if !info.Mode().IsRegular() {
		// Opening a pipe would block until someone writes to it.
		l.fault(name, "file", "is not a regular file", "write the plan to a regular file")
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

// openNumbers reads a numbers_file that a plan names at the given position. It returns
// the path that faults name, and the beginning of the file.
func (l *loader) openNumbers(name string, at Position) (file string, data []byte, refused *refusal) {
	info, err := fs.Stat(l.fsys, name)
	if err == nil && !info.Mode().IsRegular() {
		return "", nil, &refusal{"is not a regular file", "name a text or CSV file, or a workbook"}
	}
	if l.lists == nil {
		l.lists = firsts[string]{}
	}
	if first := l.lists.claim(name, at); first != nil {
		return "", nil, &refusal{"is already used at " + first.String(), "put each number on one campaign"}
	}
	if err == nil {
		data, err = readAtMost(l.fsys, name, maxFileSize+1)
	}
	if err != nil {
		return "", nil, &refusal{fmt.Sprintf("cannot be read (%v)", reason(err)), "check its permissions and its path, which starts in the plan's folder"}
	}
	file = l.show(name)
	l.files, l.read = append(l.files, file), append(l.read, name)
	return file, data, nil
}

// readAtMost reads the beginning of a file, whatever its stated size.
func readAtMost(fsys fs.FS, name string, limit int64) ([]byte, error) {
	file, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, limit))
}

// readBytes reads one plan.
func (l *loader) readBytes(name string, data []byte, open func(string, Position) (string, []byte, *refusal)) {
	r := reader{file: name, faults: &l.faults, aside: &l.aside, open: open}
	r.read(data)
	l.files = append(l.files, name)
	l.entries = append(l.entries, r.entries...)
}

// fault reports a fault that concerns a whole file.
func (l *loader) fault(name, what, why, fix string) {
	l.faults.add(Position{l.show(name), 1, 1}, what, why, fix)
}

// cannotRead reports a file or folder that cannot be read.
func (l *loader) cannotRead(name string, err error) {
	fault := unreadable(l.show(name), err)[0]
	l.faults.add(fault.Position, fault.What, fault.Why, fault.Fix)
}

// unreadable is the fault of a file or folder that cannot be read.
func unreadable(name string, err error) Faults {
	return Faults{{
		Position: Position{name, 1, 1},
		What:     "file", Why: fmt.Sprintf("cannot be read (%v)", reason(err)), Fix: "check the path and its permissions",
	}}
}

// reason is an error without its path, which the fault already has.
func reason(err error) error {
	if broken, ok := errors.AsType[*fs.PathError](err); ok {
		return broken.Err
	}
	return err
}

// set checks the rules between campaigns and returns the Set.
func (l *loader) set() (*Set, error) {
	slices.SortStableFunc(l.entries, func(a, b entry) int { return a.Position.Compare(b.Position) })
	validate(l.entries, &l.faults)
	if err := l.faults.err(); err != nil {
		return nil, err
	}
	slices.Sort(l.files)
	set := &Set{Files: l.files, read: l.read, SetAside: l.aside.sorted(), Campaigns: make([]Campaign, len(l.entries))}
	for i, e := range l.entries {
		set.Campaigns[i] = e.campaign()
	}
	slices.SortFunc(set.Campaigns, func(a, b Campaign) int { return cmp.Compare(a.Name, b.Name) })
	set.Hash = digest(set.document())
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

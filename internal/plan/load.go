package plan

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Load reads the plan file at a path, or every plan file in and under the folder
// at it. In a folder those are the files named *.yaml and *.yml; names that begin
// with a dot are passed over, files and folders alike, so that a mounted
// Kubernetes ConfigMap is read once, through its links and not through ..data.
// Links to files are followed, links to folders are refused, because plans that
// nobody sees being left out would be worse.
//
// The error is a [Faults] with every fault of every file, and then there is no
// Set: a plan is taken as a whole or not at all.
func Load(name string) (*Set, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, unreadable(filepath.ToSlash(name), err)
	}
	folder, root := name, "."
	if !info.IsDir() {
		folder, root = filepath.Dir(name), filepath.Base(name)
	}
	l := loader{fsys: os.DirFS(folder), show: func(file string) string {
		return filepath.ToSlash(filepath.Join(folder, filepath.FromSlash(file)))
	}}
	return l.load(root)
}

// LoadFS is [Load] for a file or folder of a file system; "." is all of it.
func LoadFS(fsys fs.FS, name string) (*Set, error) {
	l := loader{fsys: fsys, show: func(file string) string { return file }}
	return l.load(name)
}

// LoadBytes is [Load] for one file that is in memory already. The name is what
// faults and positions call it.
func LoadBytes(name string, data []byte) (*Set, error) {
	var l loader
	l.readBytes(name, data)
	return l.set()
}

// loader gathers plan files and their faults. It is used once.
type loader struct {
	fsys fs.FS
	// show turns a name in fsys into the path that people know.
	show    func(name string) string
	files   []string
	entries []entry
	faults  collector
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
	l.readBytes(l.show(name), data)
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
func (l *loader) readBytes(name string, data []byte) {
	r := reader{file: name, faults: &l.faults}
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
	if broken, ok := errors.AsType[*fs.PathError](err); ok {
		err = broken.Err // the path is told already
	}
	return Faults{{
		File: name, Line: 1, Column: 1,
		What: "file", Why: fmt.Sprintf("cannot be read (%v)", err), Mend: "check the path and its permissions",
	}}
}

// set checks the rules between campaigns and makes the Set.
func (l *loader) set() (*Set, error) {
	slices.SortStableFunc(l.entries, func(a, b entry) int { return a.Position.compare(b.Position) })
	validate(l.entries, &l.faults)
	if err := l.faults.err(); err != nil {
		return nil, err
	}
	slices.Sort(l.files)
	set := &Set{Files: l.files, Campaigns: make([]Campaign, len(l.entries))}
	for i, e := range l.entries {
		set.Campaigns[i] = e.campaign()
	}
	slices.SortFunc(set.Campaigns, func(a, b Campaign) int { return cmp.Compare(a.Name, b.Name) })
	set.Hash = set.hash()
	return set, nil
}

// campaign returns the entry as the Set holds it.
func (e entry) campaign() Campaign {
	c := e.Campaign
	c.Numbers = make([]E164, len(e.numbers))
	for i, n := range e.numbers {
		c.Numbers[i] = n.number
	}
	slices.Sort(c.Numbers)
	return c
}

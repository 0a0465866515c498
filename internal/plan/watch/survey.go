package watch

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// survey is what the files of a plan look like at one moment, and where to listen
// for changes of them. It is not changed once it is taken.
type survey struct {
	// files are those that count, under the names by which [plan.Load] tells them.
	// A file that counts but is not there is nil.
	files map[string]fs.FileInfo
	// folders are to be listened to. The value tells which of them are in the tree
	// of a plan folder, where every name counts.
	folders map[string]bool
	// points are the links and files whose paths count wherever they are.
	points map[string]bool
	// beside is the folder of a plan that is a single file.
	beside string
}

// takeSurvey looks at a plan file or folder and at more files that count. It calls
// listen, if there is one, for each folder before it looks into it. All folders and
// points are absolute and free of links, as events name them.
func takeSurvey(path string, files []string, listen func(folder string)) survey {
	s := surveyor{survey{map[string]fs.FileInfo{}, map[string]bool{}, map[string]bool{}, ""}, listen}
	path = filepath.Clean(path)
	switch real, info := s.follow(path); {
	case info == nil:
		s.files[path] = nil
	case info.IsDir():
		s.walk(real, path)
	default:
		s.files[path] = info
		s.beside = filepath.Dir(real)
	}
	for _, file := range files {
		file = filepath.FromSlash(file)
		if _, ok := s.files[file]; !ok {
			_, s.files[file] = s.follow(file)
		}
	}
	return s.survey
}

// covers reports whether the survey has looked at all of the files.
func (s survey) covers(files []string) bool {
	return !slices.ContainsFunc(files, func(file string) bool {
		_, ok := s.files[filepath.FromSlash(file)]
		return !ok
	})
}

// difference returns the name of a file that is not the same in both surveys, the
// first in alphabetical order, or "" if all are.
func (s survey) difference(other survey) string {
	var first string
	differs := func(name string) {
		if first == "" || name < first {
			first = name
		}
	}
	for name, info := range s.files {
		if theirs, ok := other.files[name]; !ok || !same(info, theirs) {
			differs(name)
		}
	}
	for name := range other.files {
		if _, ok := s.files[name]; !ok {
			differs(name)
		}
	}
	return first
}

// same reports whether a file seems untouched: size, time, mode and identity, which
// changes when another file takes its name.
func same(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && a.Mode() == b.Mode() && os.SameFile(a, b)
}

// concerns reports whether an event at a path may change what is loaded. While a
// single file is at fault that is any neighbour: the plan may name one that did
// not exist, and then no set tells so.
func (s survey) concerns(path string, atFault bool) bool {
	if _, isListenedTo := s.folders[path]; isListenedTo || s.points[path] {
		return true // of a folder itself one hears that it was moved or removed
	}
	folder := filepath.Dir(path)
	return (s.folders[folder] || atFault && folder == s.beside) && !isPassing(filepath.Base(path))
}

// isPassing reports whether a name is no part of a plan: hidden, a backup, or what
// an editor writes for a moment. Vim tries out a folder with a file named 4913.
func isPassing(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".swp", ".swo", ".swx", ".tmp":
		return true
	}
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "#") || strings.HasSuffix(name, "~") || name == "4913"
}

// surveyor takes a survey. It is used once.
type surveyor struct {
	survey
	listen func(folder string)
}

// hear makes a folder one to be listened to.
func (s *surveyor) hear(folder string, inTree bool) {
	before, heard := s.folders[folder]
	s.folders[folder] = before || inTree
	if !heard && s.listen != nil {
		s.listen(folder)
	}
}

// walk looks at every file in and under a folder, which is real and known by
// another name.
func (s *surveyor) walk(real, name string) {
	s.hear(real, true)
	// What cannot be read is missing from the survey. The loader tells why.
	entries, _ := os.ReadDir(real)
	for _, entry := range entries {
		if isPassing(entry.Name()) {
			continue
		}
		realEntry, entryName := filepath.Join(real, entry.Name()), filepath.Join(name, entry.Name())
		switch {
		case entry.IsDir():
			s.walk(realEntry, entryName)
		case entry.Type()&fs.ModeSymlink != 0:
			_, s.files[entryName] = s.followFrom(real, entry.Name())
		default:
			if info, err := entry.Info(); err == nil {
				s.files[entryName] = info
			}
		}
	}
}

// follow finds what a path leads to. The info is nil when that is nothing.
func (s *surveyor) follow(path string) (real string, info fs.FileInfo) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", nil
	}
	root := rootOf(path)
	return s.followFrom(root, path[len(root):])
}

// maxLinks bounds a way through links, as Linux does, so that a circle ends.
const maxLinks = 40

// followFrom is follow from a folder that is real. It makes a point of every link
// on the way and of its end, or of the first name that is missing: whatever changes
// there may lead the path somewhere else.
func (s *surveyor) followFrom(folder, path string) (real string, info fs.FileInfo) {
	at, rest := folder, split(path)
	for links := 0; links <= maxLinks; {
		if len(rest) == 0 {
			info, err := os.Lstat(at)
			if err != nil {
				return "", nil
			}
			return at, info
		}
		next := filepath.Join(at, rest[0])
		rest = rest[1:]
		info, err := os.Lstat(next)
		if isWay := err == nil && info.IsDir() && len(rest) > 0; !isWay {
			s.point(next)
		}
		switch {
		case err != nil:
			return "", nil
		case info.IsDir():
			at = next
		case info.Mode()&fs.ModeSymlink == 0 && len(rest) > 0:
			return "", nil // a file where a folder should be
		case info.Mode()&fs.ModeSymlink == 0:
			return next, info
		default:
			target, err := os.Readlink(next)
			if err != nil {
				return "", nil
			}
			if filepath.IsAbs(target) {
				at = rootOf(target)
				target = target[len(at):]
			}
			rest = append(split(target), rest...)
			links++
		}
	}
	return "", nil
}

// rootOf returns the folder at which an absolute path begins.
func rootOf(path string) string {
	return filepath.VolumeName(path) + string(filepath.Separator)
}

// point makes a path one that counts.
func (s *surveyor) point(path string) {
	s.points[path] = true
	s.hear(filepath.Dir(path), false)
}

// split returns the names in a path that say something.
func split(path string) []string {
	names := strings.Split(filepath.ToSlash(path), "/")
	return slices.DeleteFunc(names, func(name string) bool { return name == "" || name == "." })
}

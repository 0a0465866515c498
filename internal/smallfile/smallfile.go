// Package smallfile reads files that people name in settings, such as keys. It refuses
// what would fill the program, and of what is read again while it runs what would hold it
// up. It does not know what the files mean.
package smallfile

import (
	"fmt"
	"io"
	"os"
)

// Read returns what the regular file at path holds, but no more than most+1 bytes: a
// caller that gets more than most knows that the file is too large. Its errors name
// the file.
func Read(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() && !info.IsDir() { // of a folder the read says what it is
		return nil, fmt.Errorf("%s is no regular file; a pipe or device may never end, and cannot be read again", path)
	}
	return ReadOnce(path, most)
}

// ReadOnce is Read for what is not read again, which may be a pipe: it waits until
// somebody writes to it.
func ReadOnce(path string, most int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, most+1)) // it may grow meanwhile
}

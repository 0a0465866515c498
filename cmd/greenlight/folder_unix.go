//go:build unix

package main

import (
	"fmt"
	"os"
	"syscall"
)

// ownedByUs returns an error for a folder of another user: files created in it now could not
// be read by the Greenlight that uses it. A missing folder is fine.
func ownedByUs(folder string) error {
	info, err := os.Stat(folder)
	if err != nil {
		return nil // the work itself says what is wrong
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if ok && int(owner.Uid) != os.Geteuid() {
		return fmt.Errorf("data folder %s belongs to user id %d: run the command as that user, for example with setpriv --reuid %d --clear-groups", folder, owner.Uid, owner.Uid)
	}
	return nil
}

// syncDisks writes all buffered file data to disk: NATS does not sync what it restores.
func syncDisks() { syscall.Sync() }

//go:build !unix

package main

// ownedByUs accepts every folder: there are no user ids to compare.
func ownedByUs(string) error { return nil }

// syncDisks does nothing: there is no call for all files.
func syncDisks() {}

//go:build !unix

package main

// ownedByUs accepts every folder: there are no user ids to compare.
func ownedByUs(string) error { return nil }

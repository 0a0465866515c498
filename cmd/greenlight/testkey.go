package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// testKey returns a key to sign test deliveries with: the one in a file, which is made
// if it is not there, or a new one without a file. A file that holds something else is
// refused, not replaced.
func testKey(file string) (key ed25519.PrivateKey, made bool, err error) {
	seed := make([]byte, ed25519.SeedSize)
	if file == "" {
		rand.Read(seed) // never fails
		return ed25519.NewKeyFromSeed(seed), true, nil
	}
	held, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		rand.Read(seed)
		return ed25519.NewKeyFromSeed(seed), true, writeNew(file, base64.StdEncoding.EncodeToString(seed)+"\n")
	}
	if err != nil {
		return nil, false, fmt.Errorf("read test key: %w", err)
	}
	seed, err = base64.StdEncoding.DecodeString(strings.TrimSpace(string(held)))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, false, fmt.Errorf("%s holds no test key: it must be the base64 of 32 bytes; name a file that is not there to have one made", file)
	}
	return ed25519.NewKeyFromSeed(seed), false, nil
}

// writeNew writes a secret into a file that must not be there.
func writeNew(name, text string) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("keep test key: %w", err)
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Close())
}

// publicKeyOf returns the public key as Mission Control shows it.
func publicKeyOf(key ed25519.PrivateKey) string {
	public, _ := key.Public().(ed25519.PublicKey)
	return base64.StdEncoding.EncodeToString(public)
}

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

// testKey returns the key in a file, for signing test deliveries. It creates the file if
// it does not exist, and a new key if file is empty. It never overwrites a file.
func testKey(file string) (key ed25519.PrivateKey, created bool, err error) {
	seed := make([]byte, ed25519.SeedSize)
	if file == "" {
		rand.Read(seed) // never fails
		return ed25519.NewKeyFromSeed(seed), true, nil
	}
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		rand.Read(seed)
		return ed25519.NewKeyFromSeed(seed), true, writeNew(file, base64.StdEncoding.EncodeToString(seed)+"\n")
	}
	if err != nil {
		return nil, false, fmt.Errorf("read test key: %w", err)
	}
	seed, err = base64.StdEncoding.DecodeString(strings.TrimSpace(string(content)))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, false, fmt.Errorf("%s does not hold a test key, which is 32 bytes in base64; name a file that does not exist to create one", file)
	}
	return ed25519.NewKeyFromSeed(seed), false, nil
}

// writeNew writes a secret to a file that must not exist yet.
func writeNew(name, text string) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("store test key: %w", err)
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Close())
}

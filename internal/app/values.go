package app

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// secret returns a text that is given directly or in a file. The text itself
// never gets into a fault.
func secret(faults *Faults, setting, text, file, fix string) string {
	return secretReadBy(readOnce, faults, setting, text, file, fix)
}

// secretReadBy is secret with a way of its own to read the file.
func secretReadBy(read func(path string) ([]byte, error), faults *Faults, setting, text, file, fix string) string {
	if text != "" && file != "" {
		faults.add(setting, "is given twice, directly and as a file", "Leave out "+setting+" or "+setting+"_FILE.")
		return ""
	}
	if file != "" {
		content, err := read(file)
		if err != nil {
			faults.add(setting+"_FILE", "cannot be read: "+err.Error(), fix)
			return ""
		}
		text = string(content)
	}
	text = strings.TrimSpace(text)
	if text == "" {
		faults.add(setting, "is missing", fix)
	}
	return text
}

// count reads a whole number within bounds.
func count(faults *Faults, setting, text string, least, most int) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		faults.add(setting, fmt.Sprintf("%q is no number from %d to %d", text, least, most), "Leave it out for the default.")
	}
	return n
}

// address checks one to listen on.
func address(faults *Faults, setting, text string) {
	_, port, err := net.SplitHostPort(text)
	if number, convErr := strconv.Atoi(port); err != nil || convErr != nil || number < 0 || number > 65535 {
		faults.add(setting, fmt.Sprintf("%q is no address to listen on", text), "Write host and port, such as 127.0.0.1:8081, or :8080 for every interface.")
	}
}

// yes reads a setting that is yes or no.
func yes(faults *Faults, setting, text string) bool {
	if text != "yes" && text != "no" {
		faults.add(setting, fmt.Sprintf("is %q", text), "Write yes or no.")
	}
	return text == "yes"
}

// span reads a time within bounds, which between names.
func span(faults *Faults, setting, text string, least, most time.Duration, between, example string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil || d < least || d > most {
		faults.add(setting, fmt.Sprintf("%q is no time between %s", text, between), "Write it like "+example+".")
	}
	return d
}

package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"greenlight/internal/app"
)

func TestNotify_IsReadFromTheEnvironmentOrAFile(t *testing.T) {
	const address = "generic+https://example.com/s3cret"
	path := filepath.Join(t.TempDir(), "address")
	must(t, os.WriteFile(path, []byte(address+"\n"), 0o600))
	for name, notify := range map[string]app.Notify{"directly": {URL: address}, "in a file": {URLFile: path}} {
		var faults app.Faults
		if got := notify.Receiver(&faults); got == nil || faults.Err() != nil {
			t.Errorf("%s: got %v, %v", name, got, faults)
		}
	}
	var faults app.Faults
	if got := (app.Notify{}).Receiver(&faults); got != nil || faults.Err() != nil {
		t.Errorf("without an address: got %v, %v", got, faults)
	}
}

func TestNotify_FaultsDoNotRepeatTheAddress(t *testing.T) {
	for name, test := range map[string]struct {
		notify app.Notify
		want   string
	}{
		"not taken": {app.Notify{URL: "s3cret"}, "NOTIFY_URL (--notify-url) is not an address that notices can be sent to"},
		"twice":     {app.Notify{URL: "s3cret", URLFile: "file"}, "is given twice"},
		"no file":   {app.Notify{URLFile: filepath.Join(t.TempDir(), "none")}, "NOTIFY_URL_FILE (--notify-url-file) cannot be read"},
	} {
		var faults app.Faults
		if got := test.notify.Receiver(&faults); got != nil {
			t.Errorf("%s: got a receiver", name)
		}
		err := faults.Err()
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
}

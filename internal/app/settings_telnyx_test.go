package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What people paste by mistake is refused by name, and never repeated: the key may be in it.
func TestAPIKey_RefusesWhatIsNoKey(t *testing.T) {
	const key = "KEY0123_s3cret"
	for name, test := range map[string]struct{ text, want string }{
		"a key":                   {key, ""},
		"a last newline":          {key + "\n", ""},
		"a last Windows line end": {" " + key + "\r\n", ""},
		"a line break":            {"KEY0123\n_s3cret", "it contains a line break"},
		"two lines":               {key + "\n" + key, "it contains a line break"},
		"double quotes":           {`"` + key + `"`, "it contains quotes"},
		"single quotes":           {"'" + key + "'", "it contains quotes"},
		"a word processor's":      {"“" + key + "”", "it contains quotes"},
		"Bearer":                  {"Bearer " + key, `it begins with "Bearer"`},
		"bearer in quotes":        {`"Bearer ` + key + `"`, "it contains quotes"},
		"a blank":                 {"KEY0123 _s3cret", "it contains white space"},
		"a tab":                   {"KEY0123\t_s3cret", "it contains white space"},
		"a zero-width space":      {"KEY0123\u200b_s3cret", "it contains characters that are not allowed"},
		"the public key":          {publicKey, "it looks like the account's public key"},
	} {
		for _, way := range []string{"environment", "file"} {
			t.Run(name+" in the "+way, func(t *testing.T) {
				clearEnv(t)
				t.Setenv("TELNYX_API_KEY", test.text)
				if way == "file" {
					os.Unsetenv("TELNYX_API_KEY")
					file := filepath.Join(t.TempDir(), "key")
					must(t, os.WriteFile(file, []byte(test.text), 0o600))
					t.Setenv("TELNYX_API_KEY_FILE", file)
				}
				err := parse(t).check().Err()
				if test.want == "" {
					must(t, err)
					return
				}
				if err == nil || !strings.Contains(err.Error(), "TELNYX_API_KEY (--telnyx-api-key) cannot be used: "+test.want) {
					t.Fatalf("got %v, want %q", err, test.want)
				}
				if strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), publicKey) {
					t.Errorf("the fault repeats the value: %v", err)
				}
			})
		}
	}
}

func TestPublicKey_RefusesAnAPIKey(t *testing.T) {
	clearEnv(t)
	t.Setenv("TELNYX_PUBLIC_KEY", "KEY0123_s3cret")
	err := parse(t).check().Err()
	if err == nil || !strings.Contains(err.Error(), "TELNYX_PUBLIC_KEY (--telnyx-public-key) cannot be used: ") || !strings.Contains(err.Error(), "it looks like an API key") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("got %v, want that it looks like an API key", err)
	}
}

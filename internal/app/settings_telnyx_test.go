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

// The key goes where the address leads, so it must lead there over TLS or within this
// machine; and an address may hold a password.
func TestBaseURL_RefusesWhatWouldLeakASecret(t *testing.T) {
	for address, want := range map[string]string{
		"https://api.telnyx.com/v2":              "",
		"http://127.0.0.1:12111/v2":              "",
		"http://localhost:12111/v2":              "",
		"http://[::1]:12111/v2":                  "",
		"https://user:s3cret@api.telnyx.com/v2":  "contains a user name or password",
		"https://s3cret@api.telnyx.com/v2":       "contains a user name or password",
		"https://user:s3cret@%zz":                "is not a URL",
		"s3cret":                                 "is not a URL",
		"https://api.telnyx.com/v2?token=s3cret": "has a query or a fragment",
		"http://api.telnyx.com/v2":               "begins with http:// and leads to another machine",
		"http://10.0.0.7/s3cret":                 "begins with http:// and leads to another machine",
		"http://localhost.example.com/v2":        "begins with http:// and leads to another machine",
	} {
		clearEnv(t)
		t.Setenv("TELNYX_BASE_URL", address)
		err := parse(t).check().Err()
		switch {
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: got %v, want %q", address, err, want)
		case err != nil && strings.Contains(err.Error(), "s3cret"):
			t.Errorf("%s is repeated: %v", address, err)
		}
	}
}

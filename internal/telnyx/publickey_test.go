package telnyx

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
)

const keyText = "+7E99DXiiQXvceNX4nHm3Lbm5mqPWad5RhDr2ufuCik="

func TestParsePublicKey_TakesMissionControlsText(t *testing.T) {
	for _, text := range []string{keyText, keyText + "\n", " \t" + keyText + "\r\n"} {
		key, err := ParsePublicKey(text)
		if err != nil {
			t.Errorf("ParsePublicKey(%q): %v", text, err)
			continue
		}
		if key.String() != keyText {
			t.Errorf("ParsePublicKey(%q) prints %s, want %s", text, key, keyText)
		}
		if got, want := key.Fingerprint(), "+7E99DXi"; got != want {
			t.Errorf("fingerprint %s, want %s", got, want)
		}
	}
}

func TestParsePublicKey_SaysWhatIsWrongAndWhereToLook(t *testing.T) {
	raw, err := base64.StdEncoding.DecodeString(keyText)
	if err != nil {
		t.Fatal(err)
	}
	spki, _ := hex.DecodeString("302a300506032b6570032100" + hex.EncodeToString(raw))
	tests := map[string]struct{ text, want string }{
		"empty":             {"", "it is empty"},
		"white space":       {" \n", "it is empty"},
		"PEM":               {"-----BEGIN PUBLIC KEY-----\n" + base64.StdEncoding.EncodeToString(spki) + "\n-----END PUBLIC KEY-----", "PEM"},
		"SPKI":              {base64.StdEncoding.EncodeToString(spki), "SPKI"},
		"private key":       {"p68GNpDl9oAQohBiK0MEOFIjxnoFnz0uGGeJqxQ5PSb7sT30NeKJBe9x41ficebctubmao9Zp3lGEOva5+4KKQ==", "private key"},
		"API key":           {secret, "API key"},
		"Standard Webhooks": {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "Standard Webhooks"},
		"hex":               {hex.EncodeToString(raw), "48 bytes, not 32"},
		"URL-safe":          {strings.ReplaceAll(keyText, "+", "-"), "URL-safe"},
		"no padding":        {strings.TrimSuffix(keyText, "="), "43 characters"},
		"cut off":           {keyText[:40], "30 bytes, not 32"},
		"inner newline":     {keyText[:20] + "\n" + keyText[20:], "line break"},
		"loose last bits":   {keyText[:42] + "l=", "not base64"},
		"other letters":     {strings.Repeat("é", 22), "not base64"},
		"placeholder":       {base64.StdEncoding.EncodeToString(make([]byte, 32)), "placeholder"},
		"two at once":       {keyText + "," + keyText, "base64"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			key, err := ParsePublicKey(tt.text)
			if err == nil {
				t.Fatalf("got key %s, want an error", key)
			}
			if key != (PublicKey{}) {
				t.Errorf("got key %s beside the error", key)
			}
			for _, want := range []string{tt.want, "Mission Control"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
			if text := strings.TrimSpace(tt.text); text != "" && strings.Contains(err.Error(), text) {
				t.Errorf("error %q repeats the text", err)
			}
		})
	}
}

func TestParsePublicKeys_TakesSeveral(t *testing.T) {
	keys, err := ParsePublicKeys(keyText + ", jrMBoswHlhhVx2W2Www72WU/xn4UMpjreslD0m2u0qs=\n")
	if err != nil {
		t.Fatal(err)
	}
	if len(keys) != 2 || keys[0].String() != keyText || keys[1].Fingerprint() != "jrMBoswH" {
		t.Errorf("got %v", keys)
	}
}

func TestParsePublicKeys_ReportsEveryFault(t *testing.T) {
	keys, err := ParsePublicKeys("," + keyText + ",AAAA")
	if err == nil {
		t.Fatalf("got %v, want an error", keys)
	}
	for _, want := range []string{"key 1 of 3: ", "it is empty", "key 3 of 3: ", "3 bytes"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q lacks %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "key 2 of 3") {
		t.Errorf("error %q blames a good key", err)
	}
}

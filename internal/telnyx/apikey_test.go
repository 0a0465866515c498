package telnyx

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

const secret = "KEY0123456789ABCDEF_abcdefghijklmnop"

// assertNoSecret fails if text holds the test key, plain or in hex.
func assertNoSecret(t *testing.T, where, text string) {
	t.Helper()
	for _, form := range []string{secret, hex.EncodeToString([]byte(secret)), fmt.Sprintf("% x", secret)} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(form)) {
			t.Errorf("%s shows the key: %s", where, text)
		}
	}
}

func TestAPIKey_NoVerbShowsIt(t *testing.T) {
	holders := map[string]any{
		"key":     APIKey(secret),
		"pointer": new(APIKey(secret)),
		"client":  Client{APIKey: secret},
		"in any":  struct{ V any }{APIKey(secret)},
		"slice":   []APIKey{secret},
		"map":     map[string]APIKey{"k": secret},
		"map key": map[APIKey]int{secret: 1},
	}
	for name, holder := range holders {
		for verb := 'A'; verb <= 'z'; verb++ {
			if verb == 'p' || verb == 'w' { // see the type's comment
				continue
			}
			for _, flag := range []string{"", "+", "#", " ", "-40", "040", ".3"} {
				format := "%" + flag + string(verb)
				assertNoSecret(t, name+" with "+format, fmt.Sprintf(format, holder))
			}
		}
	}
	for _, got := range []string{fmt.Sprint(APIKey(secret)), APIKey(secret).String(), APIKey(secret).GoString()} {
		if got != "[redacted]" {
			t.Errorf("printed %q, want [redacted]", got)
		}
	}
}

func TestAPIKey_NoEncoderShowsIt(t *testing.T) {
	type config struct{ Key APIKey }
	holder := config{secret}
	encoders := map[string]func(io.Writer) error{
		"json":      func(w io.Writer) error { return json.NewEncoder(w).Encode(holder) },
		"json map":  func(w io.Writer) error { return json.NewEncoder(w).Encode(map[string]any{"k": []APIKey{secret}}) },
		"xml":       func(w io.Writer) error { return xml.NewEncoder(w).Encode(holder) },
		"slog text": func(w io.Writer) error { return logBoth(slog.NewTextHandler(w, nil)) },
		"slog json": func(w io.Writer) error { return logBoth(slog.NewJSONHandler(w, nil)) },
		"zerolog": func(w io.Writer) error {
			log := zerolog.New(w)
			log.Info().Interface("key", APIKey(secret)).Any("holder", holder).Stringer("s", APIKey(secret)).Send()
			return nil
		},
	}
	for name, encode := range encoders {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := encode(&out); err != nil {
				t.Fatal(err)
			}
			assertNoSecret(t, name, out.String())
			if !strings.Contains(out.String(), "[redacted]") {
				t.Errorf("wrote %s, want [redacted] in it", out.String())
			}
		})
	}
}

func logBoth(h slog.Handler) error {
	slog.New(h).Info("start", "key", APIKey(secret), "client", struct{ Key APIKey }{secret})
	return nil
}

func TestAPIKey_ZeroPrintsEmpty(t *testing.T) {
	var key APIKey
	if got := fmt.Sprintf("%v|%s|%#v|%q", key, key, key, key); got != "|||" {
		t.Errorf("printed %q, want three bars", got)
	}
	if got, _ := json.Marshal(key); string(got) != `""` {
		t.Errorf("encoded as %s, want an empty string", got)
	}
}

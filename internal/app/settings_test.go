package app_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"greenlight/config"
	"greenlight/internal/app"
	"greenlight/internal/events/embedded"
	"greenlight/internal/webhook"
)

// The values that must never be seen again, but for the public key.
const (
	secretKey = "KEY0123456789ABCDEF_s3cretValue"
	natsToken = "t0kenThatNobodyMaySee"
	publicKey = "3s0xgU3UFCpMFMZaSUKnEbeyzpLMl5OUQ7xAUTXvVNA="
)

// groups is every group of settings, as the commands put them together.
type groups struct {
	app.Telnyx
	app.Webhook
	app.TLS
	app.Assigner
	app.Notify
	app.NATS
	app.Replication
	app.Data
	app.Admin
	app.Log
}

// parse parses arguments; the environment is whatever t.Setenv made it.
func parse(t *testing.T, args ...string) groups {
	t.Helper()
	var g groups
	_, done, err := app.Parse(&g, "greenlight", "Tests.", args, io.Discard)
	if err != nil || done {
		t.Fatalf("parse %q: done %t, %v", args, done, err)
	}
	return g
}

// check uses every setting but those of NATS and returns what is wrong.
func (g groups) check() app.Faults {
	var faults app.Faults
	g.Webhook.Config(&faults)
	g.Certificates(&faults, "")
	g.Webhook.Server(&faults)
	g.Assigner.Config(&faults, g.Telnyx)
	g.Copies(&faults)
	g.Admin.Check(&faults)
	g.Log.Logger(&faults, io.Discard)
	return faults
}

// clearEnv takes every setting out of the environment and puts good values into
// it for those without a default.
func clearEnv(t *testing.T) {
	t.Helper()
	for _, field := range flags() {
		if name := field.Tag.Get("env"); os.Getenv(name) != "" {
			t.Setenv(name, "") // so that it comes back
		}
		os.Unsetenv(field.Tag.Get("env"))
	}
	plans := filepath.Join(t.TempDir(), "plan.yaml")
	must(t, os.WriteFile(plans, config.ExamplePlan, 0o600))
	t.Setenv("PLANS", plans)
	t.Setenv("TELNYX_API_KEY", secretKey)
	t.Setenv("TELNYX_PUBLIC_KEY", publicKey)
}

// flags are the fields of all groups.
func flags() []reflect.StructField {
	var fields []reflect.StructField
	for group := range reflect.TypeFor[groups]().Fields() {
		for field := range group.Type.Fields() {
			fields = append(fields, field)
		}
	}
	return fields
}

func TestFlagName_IsTheFlagOfEverySetting(t *testing.T) {
	for _, field := range flags() {
		env, name := field.Tag.Get("env"), field.Tag.Get("name")
		if env == "" || field.Tag.Get("help") == "" || field.Tag.Get("placeholder") == "" {
			t.Errorf("%s: every setting has a variable, a placeholder and a help text", field.Name)
		}
		if got := app.FlagName(env); got != name {
			t.Errorf("FlagName(%s): got --%s, and the flag is --%s", env, got, name)
		}
	}
}

func TestSettings_HaveTheDefaultsOfTheDesign(t *testing.T) {
	got := map[string]string{}
	for _, field := range flags() {
		if value := field.Tag.Get("default"); value != "" {
			got[field.Tag.Get("env")] = value
		}
	}
	want := map[string]string{
		"TELNYX_BASE_URL": "https://api.telnyx.com/v2", "TELNYX_CONCURRENCY": "8",
		"PLANS": "config/plans", "RESYNC": "15m", "PENDING_DEADLINE": "72h", "PRUNE_LIMIT": "0",
		"MAX_BODY": "262144", "GROUP_COMMIT": "no", "MAX_CONNECTIONS": "2000", "DRAIN_DELAY": "0s", "EVENT_TYPES": "10dlc.*,brand.*,campaign.*",
		"ADMIN_LISTEN": "${admin_listen}", "LOG_LEVEL": "info", "DATA": "./data", "REPLICAS": "1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSettings_DefaultsCanBeUsed(t *testing.T) {
	clearEnv(t)
	g := parse(t)
	if err := g.check().Err(); err != nil {
		t.Fatal(err)
	}
	var faults app.Faults
	hook := g.Webhook.Config(&faults)
	worker, _ := g.Assigner.Config(&faults, g.Telnyx)
	if hook.MaxBody != 256<<10 || hook.Verifier == nil {
		t.Errorf("webhook: got %+v", hook)
	}
	if diff := cmp.Diff([]string{"10dlc.*", "brand.*", "campaign.*"}, hook.EventTypes); diff != "" {
		t.Errorf("event types (-want +got):\n%s", diff)
	}
	if worker.Resync != 15*time.Minute || worker.Concurrency != 8 || len(worker.Plans().Campaigns) != 1 || worker.Telnyx.BaseURL != "https://api.telnyx.com/v2" {
		t.Errorf("assigner: got resync %s, concurrency %d, %d campaigns, base %s",
			worker.Resync, worker.Concurrency, len(worker.Plans().Campaigns), worker.Telnyx.BaseURL)
	}
	if got := g.Copies(&faults); got != 1 {
		t.Errorf("got %d replicas, want 1", got)
	}
}

func TestSettings_FlagGoesBeforeEnvironment(t *testing.T) {
	clearEnv(t)
	t.Setenv("RESYNC", "20m")
	var faults app.Faults
	if got := resyncOf(parse(t), &faults); got != 20*time.Minute {
		t.Errorf("environment: got %s, want 20m", got)
	}
	if got := resyncOf(parse(t, "--resync", "30m"), &faults); got != 30*time.Minute {
		t.Errorf("flag: got %s, want 30m", got)
	}
}

// Each fault names the setting both ways, what is wrong with it, and how to fix it. It leaks
// no text of Go's parsers, and gives no long sentence.
func TestFaults_SayWhatIsWrongAndHowToFixIt(t *testing.T) {
	missing, large := filepath.Join(t.TempDir(), "missing"), filepath.Join(t.TempDir(), "large")
	must(t, os.WriteFile(large, make([]byte, 1<<17), 0o600))
	pipe := filepath.Join(t.TempDir(), "pipe") // without a writer, so that a reader would wait
	must(t, syscall.Mkfifo(pipe, 0o600))
	tooLarge := strconv.Itoa(webhook.MaxMaxBody + 1)
	for name, test := range map[string]struct {
		set           map[string]string
		setting, what string
	}{
		"no API key":                 {map[string]string{"TELNYX_API_KEY": ""}, "TELNYX_API_KEY", "is missing."},
		"blank API key":              {map[string]string{"TELNYX_API_KEY": " \n"}, "TELNYX_API_KEY", "is missing."},
		"API key twice":              {map[string]string{"TELNYX_API_KEY_FILE": missing}, "TELNYX_API_KEY", "is given twice, directly and as a file."},
		"API key file away":          {map[string]string{"TELNYX_API_KEY": "", "TELNYX_API_KEY_FILE": missing}, "TELNYX_API_KEY_FILE", "cannot be read: " + missing + ": no such file or directory."},
		"API key file large":         {map[string]string{"TELNYX_API_KEY": "", "TELNYX_API_KEY_FILE": large}, "TELNYX_API_KEY_FILE", large + " is larger than 65536 bytes"},
		"API key file empty":         {map[string]string{"TELNYX_API_KEY": "", "TELNYX_API_KEY_FILE": os.DevNull}, "TELNYX_API_KEY", "is missing."},
		"no public key":              {map[string]string{"TELNYX_PUBLIC_KEY": ""}, "TELNYX_PUBLIC_KEY", "is missing."},
		"public key twice":           {map[string]string{"TELNYX_PUBLIC_KEY_FILE": missing}, "TELNYX_PUBLIC_KEY", "is given twice, directly and as a file."},
		"public key file away":       {map[string]string{"TELNYX_PUBLIC_KEY": "", "TELNYX_PUBLIC_KEY_FILE": missing}, "TELNYX_PUBLIC_KEY_FILE", "cannot be read: " + missing + ": no such file or directory."},
		"public key in a pipe":       {map[string]string{"TELNYX_PUBLIC_KEY": "", "TELNYX_PUBLIC_KEY_FILE": pipe}, "TELNYX_PUBLIC_KEY_FILE", pipe + " is not a regular file"},
		"public key too short":       {map[string]string{"TELNYX_PUBLIC_KEY": "c2hvcnQ="}, "TELNYX_PUBLIC_KEY", "it has 5 bytes, not 32"},
		"public key in PEM":          {map[string]string{"TELNYX_PUBLIC_KEY": "-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----"}, "TELNYX_PUBLIC_KEY", "it is in PEM form, but Telnyx shows the bare key"},
		"API key as public key":      {map[string]string{"TELNYX_PUBLIC_KEY": secretKey}, "TELNYX_PUBLIC_KEY", "it looks like an API key, which is secret and not the public key"},
		"second key bad":             {map[string]string{"TELNYX_PUBLIC_KEY": publicKey + ","}, "TELNYX_PUBLIC_KEY", "it is empty"},
		"base URL without scheme":    {map[string]string{"TELNYX_BASE_URL": "api.telnyx.com/v2"}, "TELNYX_BASE_URL", "is not a URL."},
		"base URL of a file":         {map[string]string{"TELNYX_BASE_URL": "file://host/v2"}, "TELNYX_BASE_URL", "is not a URL."},
		"rate in words":              {map[string]string{"TELNYX_RATE": "fast"}, "TELNYX_RATE", `is "fast".`},
		"rate of zero":               {map[string]string{"TELNYX_RATE": "0"}, "TELNYX_RATE", `is "0".`},
		"rate that is not a number":  {map[string]string{"TELNYX_RATE": "NaN"}, "TELNYX_RATE", `is "NaN".`},
		"rate without bound":         {map[string]string{"TELNYX_RATE": "Inf"}, "TELNYX_RATE", `is "Inf".`},
		"rate beyond the bound":      {map[string]string{"TELNYX_RATE": "1001"}, "TELNYX_RATE", `is "1001".`},
		"concurrency of zero":        {map[string]string{"TELNYX_CONCURRENCY": "0"}, "TELNYX_CONCURRENCY", `is "0".`},
		"replicas in words":          {map[string]string{"REPLICAS": "three"}, "REPLICAS", `is "three".`},
		"body over the stream's":     {map[string]string{"MAX_BODY": tooLarge}, "MAX_BODY", "is \"" + tooLarge + "\"."},
		"body with a unit":           {map[string]string{"MAX_BODY": "256k"}, "MAX_BODY", `is "256k".`},
		"connections in words":       {map[string]string{"MAX_CONNECTIONS": "many"}, "MAX_CONNECTIONS", `is "many".`},
		"hardly a connection":        {map[string]string{"MAX_CONNECTIONS": "9"}, "MAX_CONNECTIONS", `is "9".`},
		"drain without unit":         {map[string]string{"DRAIN_DELAY": "5"}, "DRAIN_DELAY", `is "5".`},
		"drain too long":             {map[string]string{"DRAIN_DELAY": "61s"}, "DRAIN_DELAY", `is "61s".`},
		"event type of a star":       {map[string]string{"EVENT_TYPES": "*"}, "EVENT_TYPES", `contains "*".`},
		"event type, star inside":    {map[string]string{"EVENT_TYPES": "10dlc.*.update"}, "EVENT_TYPES", `contains "10dlc.*.update".`},
		"event type, two stars":      {map[string]string{"EVENT_TYPES": "10dlc.**"}, "EVENT_TYPES", `contains "10dlc.**".`},
		"event type with dot last":   {map[string]string{"EVENT_TYPES": "10dlc."}, "EVENT_TYPES", `contains "10dlc.".`},
		"event types, comma last":    {map[string]string{"EVENT_TYPES": "10dlc.*,"}, "EVENT_TYPES", `contains "".`},
		"listen without port":        {map[string]string{"LISTEN": "8080"}, "LISTEN", `is "8080".`},
		"listen on a name's port":    {map[string]string{"LISTEN": ":http"}, "LISTEN", `is ":http".`},
		"listen on a port below 0":   {map[string]string{"LISTEN": ":-1"}, "LISTEN", `is ":-1".`},
		"port in words":              {map[string]string{"PORT": "http"}, "PORT", `is "http".`},
		"port too high":              {map[string]string{"PORT": "65536"}, "PORT", `is "65536".`},
		"admin port too high":        {map[string]string{"ADMIN_LISTEN": ":65536"}, "ADMIN_LISTEN", `is ":65536".`},
		"certificate without key":    {map[string]string{"TLS_CERT": missing}, "TLS_KEY", "is missing, but TLS_CERT is set."},
		"key without certificate":    {map[string]string{"TLS_KEY": missing}, "TLS_CERT", "is missing, but TLS_KEY is set."},
		"certificate away":           {map[string]string{"TLS_CERT": missing, "TLS_KEY": os.DevNull}, "TLS_CERT", missing + ": no such file or directory; " + os.DevNull + " is not a regular file"},
		"files and issued ones":      {map[string]string{"TLS_CERT": missing, "TLS_KEY": missing, "TLS_AUTO": "a.example.com"}, "TLS_AUTO", "is set together with TLS_CERT or TLS_KEY."},
		"issued ones without host":   {map[string]string{"TLS_AUTO": " ", "TLS_AUTO_CACHE": missing}, "TLS_AUTO", `contains "", which is not a public host name`},
		"issued ones for an address": {map[string]string{"TLS_AUTO": "192.0.2.1", "TLS_AUTO_CACHE": missing}, "TLS_AUTO", `contains "192.0.2.1", which is not a public host name`},
		"issued ones without folder": {map[string]string{"TLS_AUTO": "a.example.com"}, "TLS_AUTO_CACHE", "is missing, but TLS_AUTO is set."},
		"folder without host":        {map[string]string{"TLS_AUTO_CACHE": missing}, "TLS_AUTO", "is missing, but TLS_AUTO_CACHE is set."},
		"folder that is a file":      {map[string]string{"TLS_AUTO": "a.example.com", "TLS_AUTO_CACHE": os.DevNull}, "TLS_AUTO_CACHE", "cannot be used: " + os.DevNull + ": not a directory."},
		"directory without host":     {map[string]string{"TLS_AUTO_DIRECTORY": "https://ca.example.com/dir"}, "TLS_AUTO", "is missing, but TLS_AUTO_DIRECTORY is set."},
		"directory in the clear":     {map[string]string{"TLS_AUTO": "a.example.com", "TLS_AUTO_CACHE": missing, "TLS_AUTO_DIRECTORY": "http://ca.example.com/dir"}, "TLS_AUTO_DIRECTORY", `is "http://ca.example.com/dir".`},
		"directory by name":          {map[string]string{"TLS_AUTO": "a.example.com", "TLS_AUTO_CACHE": missing, "TLS_AUTO_DIRECTORY": "staging"}, "TLS_AUTO_DIRECTORY", `is "staging".`},
		"group commit maybe":         {map[string]string{"GROUP_COMMIT": "maybe"}, "GROUP_COMMIT", `is "maybe".`},
		"resync in words":            {map[string]string{"RESYNC": "hourly"}, "RESYNC", `is "hourly".`},
		"resync without unit":        {map[string]string{"RESYNC": "15"}, "RESYNC", `is "15".`},
		"resync too often":           {map[string]string{"RESYNC": "999ms"}, "RESYNC", `is "999ms".`},
		"resync too rare":            {map[string]string{"RESYNC": "25h"}, "RESYNC", `is "25h".`},
		"deadline too short":         {map[string]string{"PENDING_DEADLINE": "59s"}, "PENDING_DEADLINE", `is "59s".`},
		"deadline too long":          {map[string]string{"PENDING_DEADLINE": "721h"}, "PENDING_DEADLINE", `is "721h".`},
		"log level unknown":          {map[string]string{"LOG_LEVEL": "loud"}, "LOG_LEVEL", `is "loud".`},
		"log format unknown":         {map[string]string{"LOG_FORMAT": "xml"}, "LOG_FORMAT", `is "xml".`},
	} {
		t.Run(name, func(t *testing.T) {
			clearEnv(t)
			for setting, value := range test.set {
				t.Setenv(setting, value)
			}
			faults := parse(t).check()
			if len(faults) != 1 {
				t.Fatalf("got %v, want one fault", faults)
			}
			got := faults[0].Error()
			if !strings.HasPrefix(got, test.setting+" (--"+app.FlagName(test.setting)+") ") || !strings.Contains(got, test.what) {
				t.Errorf("got %s, want %s and %s", got, test.setting, test.what)
			}
			for _, leak := range []string{"strconv", "time:", "parsing", "open /", "stat /", "mkdir /"} {
				if strings.Contains(got, leak) {
					t.Errorf("%s: it leaks %q", got, leak)
				}
			}
			fault, _ := errors.AsType[*app.Fault](faults[0])
			if fix := fault.Fix; fix == "" && !strings.Contains(got, "copy it from Mission Control") || strings.Count(got, "Mission Control") > 1 {
				t.Errorf("%s: it gives no advice, or the same twice", got)
			}
			for _, sentence := range strings.FieldsFunc(fault.Fix, func(r rune) bool { return r == '.' || r == ':' || r == ';' }) {
				if n := len(strings.Fields(sentence)); n > 25 {
					t.Errorf("%s: a sentence of %d words", got, n)
				}
			}
			if err := faults.Err(); err == nil || strings.Contains(err.Error(), secretKey) {
				t.Errorf("the error has the API key in it: %v", err)
			}
		})
	}
}

// A plan with an error keeps no webhook from starting.
func TestConfig_TakesPlansThatCannotBeUsed(t *testing.T) {
	clearEnv(t)
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "spring.yaml"), []byte("version: 1\ncampaigns: none\n"), 0o600))
	t.Setenv("PLANS", dir)
	var faults app.Faults
	_, plans := parse(t).Assigner.Config(&faults, app.Telnyx{})
	if err := faults.Err(); err != nil && strings.Contains(err.Error(), "PLANS") {
		t.Errorf("got %v, want no fault of the plans", err)
	}
	if err := plans.Err(); err == nil || !strings.Contains(err.Error(), "spring.yaml:2:") || plans.Set() != nil {
		t.Errorf("got %v, want the file's line", err)
	}
}

func TestFaults_AreReportedAllAtOnce(t *testing.T) {
	clearEnv(t)
	spoiled := map[string]string{
		"TELNYX_API_KEY": "", "TELNYX_PUBLIC_KEY": "c2hvcnQ=", "TELNYX_BASE_URL": "x", "TELNYX_RATE": "x", "TELNYX_CONCURRENCY": "x",
		"LISTEN": "x", "MAX_BODY": "x", "MAX_CONNECTIONS": "x", "DRAIN_DELAY": "x", "EVENT_TYPES": "*,.", "PLANS": "x", "RESYNC": "x", "REPLICAS": "x", "ADMIN_LISTEN": "x",
		"LOG_LEVEL": "x", "LOG_FORMAT": "x",
	}
	for setting, value := range spoiled {
		t.Setenv(setting, value)
	}
	err := parse(t).check().Err()
	if err == nil || !strings.HasPrefix(err.Error(), "cannot start:\n  ") {
		t.Fatalf("got %v, want one error with all faults", err)
	}
	for setting := range spoiled {
		if !strings.Contains(err.Error(), "\n  "+setting+" (--"+app.FlagName(setting)+") ") {
			t.Errorf("%s is not in:\n%v", setting, err)
		}
	}
	if got := strings.Count(err.Error(), "EVENT_TYPES (--"); got != 2 {
		t.Errorf("got %d faults of event types, want 2", got)
	}
	if fault, ok := errors.AsType[*app.Fault](err); !ok || fault.Setting == "" {
		t.Errorf("the error holds no Fault: %+v", fault)
	}
}

// A platform's PORT counts where LISTEN is not set, and only there.
func TestWebhook_ListensOnPortWhereListenIsNotSet(t *testing.T) {
	taken := listen(t).Addr().String()
	_, port, err := net.SplitHostPort(taken)
	must(t, err)
	for name, test := range map[string]struct {
		set  map[string]string
		want string
	}{
		"port":                  {map[string]string{"PORT": "0"}, "[::]:"},
		"port taken":            {map[string]string{"PORT": port}, "PORT: listen on :" + port + ": "},
		"both":                  {map[string]string{"PORT": port, "LISTEN": "127.0.0.1:0"}, "127.0.0.1:"},
		"listen, port unusable": {map[string]string{"PORT": "http", "LISTEN": "127.0.0.1:0"}, "127.0.0.1:"},
		"listen taken":          {map[string]string{"PORT": "0", "LISTEN": taken}, "LISTEN: listen on " + taken + ": "},
	} {
		t.Run(name, func(t *testing.T) {
			clearEnv(t)
			for setting, value := range test.set {
				t.Setenv(setting, value)
			}
			g := parse(t)
			must(t, g.check().Err())
			var got string
			listener, err := g.Webhook.Listen()
			if err != nil {
				got = err.Error()
			} else {
				got = listener.Addr().String()
				must(t, listener.Close())
			}
			if !strings.HasPrefix(got, test.want) {
				t.Errorf("got %s, want %s…", got, test.want)
			}
		})
	}
}

func TestFaults_AreNoErrorWhenThereIsNone(t *testing.T) {
	if err := (app.Faults{}).Err(); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestSecret_IsReadFromItsFile(t *testing.T) {
	clearEnv(t)
	file := filepath.Join(t.TempDir(), "key")
	must(t, os.WriteFile(file, []byte("\n"+publicKey+" \n"), 0o600))
	t.Setenv("TELNYX_PUBLIC_KEY", "")
	t.Setenv("TELNYX_PUBLIC_KEY_FILE", file)
	var faults app.Faults
	if config := parse(t).Webhook.Config(&faults); config.Verifier == nil || faults.Err() != nil {
		t.Errorf("got %v", faults)
	}
}

func TestWebhook_WatchesItsKeysOnlyInAFile(t *testing.T) {
	clearEnv(t)
	var faults app.Faults
	g := parse(t)
	if file := g.KeyFile(g.Webhook.Config(&faults).Verifier); file != nil {
		t.Error("keys from the environment are watched")
	}
	path := filepath.Join(t.TempDir(), "key")
	must(t, os.WriteFile(path, []byte(publicKey), 0o600))
	t.Setenv("TELNYX_PUBLIC_KEY", "")
	t.Setenv("TELNYX_PUBLIC_KEY_FILE", path)
	g = parse(t)
	if file := g.KeyFile(g.Webhook.Config(&faults).Verifier); file == nil {
		t.Error("keys from a file are not watched")
	}
	must(t, faults.Err())
	t.Setenv("TELNYX_PUBLIC_KEY_FILE", path+"x")
	g = parse(t)
	if file := g.KeyFile(g.Webhook.Config(&faults).Verifier); file != nil {
		t.Error("a file at fault is watched")
	}
}

func TestWebhook_IsServedAsSet(t *testing.T) {
	clearEnv(t)
	var faults app.Faults
	got := parse(t, "--max-connections=50", "--drain-delay=3s").Webhook.Server(&faults)
	if faults.Err() != nil || got.MaxConnections != 50 || got.DrainDelay != 3*time.Second {
		t.Errorf("got %+v, %v", got, faults.Err())
	}
}

func resyncOf(g groups, faults *app.Faults) time.Duration {
	config, _ := g.Assigner.Config(faults, app.Telnyx{})
	return config.Resync
}

func TestEventTypes_AreReadOneByOne(t *testing.T) {
	for text, want := range map[string][]string{
		"10dlc.*":                         {"10dlc.*"},
		" 10dlc.* ,\tbrand.*":             {"10dlc.*", "brand.*"},
		"10dlc.campaign.update":           {"10dlc.campaign.update"},
		"10dlc.campaign*,10dlc.brand.foo": {"10dlc.campaign*", "10dlc.brand.foo"},
	} {
		clearEnv(t)
		t.Setenv("EVENT_TYPES", text)
		var faults app.Faults
		got := parse(t).Webhook.Config(&faults).EventTypes
		if diff := cmp.Diff(want, got); diff != "" || faults.Err() != nil {
			t.Errorf("%q: %v (-want +got):\n%s", text, faults.Err(), diff)
		}
	}
}

func TestConnect_NeverShowsTheToken(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	closed := listener.Addr().String()
	must(t, listener.Close())
	garbled := filepath.Join(t.TempDir(), "nats.url")
	must(t, os.WriteFile(garbled, []byte("nats://"+natsToken+"@127.0.0.1:x\n"), 0o600))

	for name, test := range map[string]struct {
		nats app.NATS
		want string
	}{
		"no server":                 {app.NATS{URL: "nats://" + natsToken + "@" + closed}, "cannot be used: connect to NATS at nats://" + closed},
		"user and password":         {app.NATS{URL: "nats://me:" + natsToken + "@" + closed}, "cannot be used: connect to NATS at nats://" + closed},
		"no scheme":                 {app.NATS{URL: natsToken + "@" + closed}, "cannot be used: connect to NATS at nats://" + closed},
		"over a websocket":          {app.NATS{URL: "ws://" + natsToken + "@" + closed}, "cannot be used: connect to NATS at ws://" + closed},
		"second of two":             {app.NATS{URL: "nats://" + closed + ",nats://" + natsToken + "@" + closed}, "cannot be used: connect to NATS at nats://" + closed},
		"port in words":             {app.NATS{URL: "nats://" + natsToken + "@127.0.0.1:x"}, "is not the URL of a NATS server. Use one like nats://localhost:4222"},
		"control character":         {app.NATS{URL: "nats://" + natsToken + "\x7f@127.0.0.1:4222"}, "is not the URL of a NATS server. Use one like nats://localhost:4222"},
		"percent sign":              {app.NATS{URL: "nats://" + natsToken + "%@127.0.0.1:4222"}, "is not the URL of a NATS server. Use one like nats://localhost:4222"},
		"port in words, in a file":  {app.NATS{URLFile: garbled}, "is not the URL of a NATS server. Use one like nats://localhost:4222"},
		"scheme of something else":  {app.NATS{URL: "http://" + natsToken + "@" + closed}, "NATS_URL (--nats-url) "},
		"given directly and a file": {app.NATS{URL: "nats://" + natsToken + "@" + closed, URLFile: garbled}, "is given twice, directly and as a file"},
	} {
		t.Run(name, func(t *testing.T) {
			var faults app.Faults
			if nc := test.nats.Connect(&faults, t.Name()); nc != nil {
				nc.Close()
				t.Fatal("connected")
			}
			err := faults.Err()
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), natsToken) {
				t.Errorf("the error contains the token: %v", err)
			}
		})
	}
}

func TestConnect_SaysWhatIsMissing(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	for name, test := range map[string]struct {
		nats app.NATS
		want string
	}{
		"no URL":           {app.NATS{}, "NATS_URL (--nats-url) is missing. Start a NATS server"},
		"URL file away":    {app.NATS{URLFile: missing}, "NATS_URL_FILE (--nats-url-file) cannot be read: " + missing},
		"credentials away": {app.NATS{URL: "nats://localhost:1", Creds: missing}, "NATS_CREDS (--nats-creds) cannot be read: " + missing + ": no such file or directory."},
	} {
		t.Run(name, func(t *testing.T) {
			var faults app.Faults
			if nc := test.nats.Connect(&faults, t.Name()); nc != nil {
				t.Fatal("connected")
			}
			if len(faults) != 1 || !strings.HasPrefix(faults[0].Error(), test.want) {
				t.Errorf("got %v, want %s", faults, test.want)
			}
		})
	}
}

func TestConnect_ConnectsOnlyWithoutOtherFaults(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	var faults app.Faults
	app.Admin{Listen: "x"}.Check(&faults)
	if nc := (app.NATS{URL: "nats://" + listener.Addr().String()}).Connect(&faults, t.Name()); nc != nil || len(faults) != 1 {
		t.Fatalf("got %v, %v; want no connection and no second fault", nc, faults)
	}
	must(t, listener.(*net.TCPListener).SetDeadline(time.Now().Add(-time.Second)))
	if conn, err := listener.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a connection was made: %v, %v", conn, err)
	}
}

func TestConnectOrFind_FindsGreenlightUp(t *testing.T) {
	dir := t.TempDir()
	server, err := embedded.Start(embedded.Options{Dir: dir, Listen: true})
	must(t, err)
	defer func() { must(t, server.Close()) }()
	var faults app.Faults
	nc := app.NATS{}.ConnectOrFind(&faults, app.Data{Dir: dir}, t.Name())
	must(t, faults.Err())
	nc.Close()

	other := app.NATS{URL: "nats://127.0.0.1:1"}
	if nc := other.ConnectOrFind(&faults, app.Data{Dir: dir}, t.Name()); nc != nil || len(faults) != 1 {
		t.Errorf("got %v, %v; want NATS_URL to go before the folder", nc, faults)
	}
}

// Each start of greenlight up has another port and token. A command that lasts longer finds
// them.
func TestConnectOrFind_FindsGreenlightUpAgainAfterARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start := func() *embedded.Server {
		server, err := embedded.Start(embedded.Options{Dir: dir, Listen: true})
		must(t, err)
		return server
	}
	first := start()
	var faults app.Faults
	nc := app.NATS{}.ConnectOrFind(&faults, app.Data{Dir: dir}, t.Name())
	must(t, faults.Err())
	defer nc.Close()
	must(t, first.Close())
	second := start()
	defer func() { must(t, second.Close()) }()
	for deadline := time.Now().Add(time.Minute); nc.FlushTimeout(time.Second) != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not connected again: %v", nc.LastError())
		}
	}
	if got, want := second.URL(), nc.ConnectedAddr(); !strings.HasSuffix(got, "@"+want) {
		t.Errorf("connected to %s", want)
	}
}

func TestConnectOrFind_SaysThatNobodyRuns(t *testing.T) {
	for name, test := range map[string]struct {
		file func(path string) error
		want string
	}{
		"no file":    {func(string) error { return nil }, "is missing, and no greenlight up runs on data folder "},
		"empty file": {func(path string) error { return os.WriteFile(path, nil, 0o600) }, "is missing, and no greenlight up runs on data folder "},
		"unreadable": {func(path string) error { return os.Mkdir(path, 0o700) }, "is missing, and the address of greenlight up cannot be read: "},
		"damaged":    {func(path string) error { return os.WriteFile(path, []byte(natsToken+"@%"), 0o600) }, "is missing, and the address of greenlight up cannot be read: "},
		"left behind": {
			func(path string) error {
				return os.WriteFile(path, []byte("nats://"+natsToken+"@127.0.0.1:1\n"), 0o600)
			}, "cannot be used: connect to NATS at nats://127.0.0.1:1: ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			must(t, test.file(filepath.Join(dir, embedded.URLFile)))
			var faults app.Faults
			nc := app.NATS{}.ConnectOrFind(&faults, app.Data{Dir: dir}, t.Name())
			if nc != nil || len(faults) != 1 || !strings.HasPrefix(faults[0].Error(), "NATS_URL (--nats-url) "+test.want) || strings.Contains(faults[0].Error(), natsToken) {
				t.Errorf("got %v, %v; want %s", nc, faults, test.want)
			}
		})
	}
}

func TestParse_HelpHasEverySettingAndNoSecret(t *testing.T) {
	clearEnv(t)
	t.Setenv("NATS_URL", "nats://"+natsToken+"@127.0.0.1:4222")
	var help bytes.Buffer
	_, done, err := app.Parse(&groups{}, "greenlight", "Tests.", []string{"--help"}, &help)
	if err != nil || !done {
		t.Fatalf("done %t, %v", done, err)
	}
	for _, field := range flags() {
		for _, word := range []string{"--" + field.Tag.Get("name"), "$" + field.Tag.Get("env")} {
			if !strings.Contains(help.String(), word) {
				t.Errorf("the help does not speak of %s", word)
			}
		}
	}
	if strings.Contains(help.String(), secretKey) || strings.Contains(help.String(), natsToken) {
		t.Errorf("the help contains a secret:\n%s", help.String())
	}
	if strings.Contains(help.String(), "${") {
		t.Errorf("the help has a placeholder left:\n%s", help.String())
	}
}

func TestParse_NamesWhatItDoesNotKnowWithoutItsValue(t *testing.T) {
	clearEnv(t)
	_, done, err := app.Parse(&groups{}, "greenlight", "Tests.", []string{"--telnyx-api-kee=" + secretKey}, io.Discard)
	if done || err == nil {
		t.Fatalf("done %t, %v; want an error", done, err)
	}
	if text := err.Error(); !strings.Contains(text, "--telnyx-api-kee") || !strings.HasSuffix(text, "(see greenlight --help)") || strings.Contains(text, secretKey) {
		t.Errorf("got %v, want the flag's name and not its value", err)
	}
}

// A value that begins with a dash looks like a flag. The value itself may be a secret.
func TestParse_SaysHowToWriteAValueThatBeginsWithADash(t *testing.T) {
	clearEnv(t)
	var cli struct {
		groups
		Numbers []string `arg:"" optional:""`
		Timeout time.Duration
		Count   int
		JSON    bool `name:"json"`
	}
	for args, want := range map[string]string{
		"--timeout -5s":            "--timeout: the value begins with a dash; write --timeout=VALUE",
		"--timeout=-5s":            `--timeout: "-5s" is negative; use a duration like 30s, 10m or 1h30m`,
		"--count -5":               "--count: the value begins with a dash; write --count=VALUE",
		"--count=-5":               `--count: "-5" is not a whole number from 0`,
		"--telnyx-api-key -s3cret": "--telnyx-api-key: the value begins with a dash; write --telnyx-api-key=VALUE",
		"--timeout":                "--timeout: the value is missing",
		"--timeout --json":         "--timeout: the value is missing",
		"-12125550142":             "unknown flag -1; before a value that begins with a dash, write --",
	} {
		_, _, err := app.Parse(&cli, "greenlight", "Tests.", strings.Fields(args), io.Discard)
		if err == nil || err.Error() != want+" (see greenlight --help)" {
			t.Errorf("%s: got %v, want %s", args, err, want)
		}
	}
}

func TestLogger_WritesAsSet(t *testing.T) {
	for name, test := range map[string]struct {
		log       app.Log
		want, not string
	}{
		"json where there is no terminal": {app.Log{Level: "info"}, `"message":"hello"`, "INF"},
		"json":                            {app.Log{Level: "info", Format: "json"}, `"message":"hello"`, "INF"},
		"console":                         {app.Log{Level: "info", Format: "console"}, "hello", "{"},
		"nothing below its level":         {app.Log{Level: "error"}, "", "hello"},
	} {
		t.Run(name, func(t *testing.T) {
			var faults app.Faults
			var out bytes.Buffer
			log := test.log.Logger(&faults, &out)
			log.Info().Msg("hello")
			if got := out.String(); faults.Err() != nil || !strings.Contains(got, test.want) || strings.Contains(got, test.not) {
				t.Errorf("got %q, %v; want %q and not %q", got, faults.Err(), test.want, test.not)
			}
		})
	}
}

func TestGroups_AreAllThatThereAre(t *testing.T) {
	// A setting that is in two groups would have to mean the same twice.
	var names []string
	for _, field := range flags() {
		names = append(names, field.Tag.Get("env"))
	}
	slices.Sort(names)
	if unique := slices.Compact(slices.Clone(names)); len(unique) != len(names) {
		t.Errorf("a setting is declared twice: %v", names)
	}
}

func TestCertificates_AreKeptWithTheData(t *testing.T) {
	data := t.TempDir()
	var faults app.Faults
	if source := (app.TLS{Auto: "a.example.com, b.example.com"}).Certificates(&faults, data); source == nil || faults.Err() != nil {
		t.Fatalf("got %v, %v", source, faults)
	}
	info, err := os.Stat(filepath.Join(data, "certificates"))
	must(t, err)
	if got := info.Mode().Perm(); got != 0o700 {
		t.Errorf("the folder's mode is %04o, want 0700", got)
	}
	if source := (app.TLS{}).Certificates(&faults, data); source != nil {
		t.Errorf("got %v without any setting, want plain HTTP", source)
	}
}

// What one authority issued is never shown as another's.
func TestCertificates_AreAskedForAtTheDirectoryAndKeptApart(t *testing.T) {
	authority := httptest.NewUnstartedServer(nil)
	authority.Config.ErrorLog = log.New(io.Discard, "", 0) // we do not trust it
	authority.StartTLS()
	defer authority.Close()
	data := t.TempDir()
	var faults app.Faults
	source := (app.TLS{Auto: "a.example.com", AutoDir: authority.URL + "/dir"}).Certificates(&faults, data)
	if source == nil {
		t.Fatal(faults)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); source.Run(ctx) }()
	for deadline := time.Now().Add(10 * time.Second); source.Renewal() == nil && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
	}
	if err := source.Renewal(); err == nil || !strings.Contains(err.Error(), authority.URL+"/dir") {
		t.Errorf("asked elsewhere: %v", err)
	}
	cancel()
	<-ended
	other := app.TLS{Auto: "a.example.com", AutoDir: "https://CA.example.com:14000/a/dir/"}
	if other.Certificates(&faults, data) == nil {
		t.Fatal(faults)
	}
	own := strings.ReplaceAll(strings.TrimPrefix(authority.URL, "https://"), ":", "_") + "_dir"
	for _, folder := range []string{own, "ca.example.com_14000_a_dir"} {
		info, err := os.Stat(filepath.Join(data, "certificates", folder))
		must(t, err)
		if got := info.Mode().Perm(); got != 0o700 {
			t.Errorf("%s: the folder's mode is %04o, want 0700", folder, got)
		}
	}
}

func TestSettings_OfTheFrontDoorAreOnItsPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/webhook.md")
	must(t, err)
	for _, group := range []reflect.Type{reflect.TypeFor[app.Webhook](), reflect.TypeFor[app.TLS]()} {
		for field := range group.Fields() {
			for _, word := range []string{"`--" + field.Tag.Get("name"), "`" + field.Tag.Get("env") + "`"} {
				if !bytes.Contains(page, []byte(word)) {
					t.Errorf("docs/webhook.md does not speak of %s", word)
				}
			}
		}
	}
}

// Both can run on one machine with their defaults.
func TestAdmin_WebhookAndAssignerHaveDifferentDefaults(t *testing.T) {
	clearEnv(t)
	var hook app.WebhookCommand
	var worker app.AssignerCommand
	for name, command := range map[string]any{"webhook": &hook, "assigner": &worker} {
		if _, _, err := app.Parse(command, name, "Tests.", nil, io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	if hook.Admin.Listen != "127.0.0.1:8081" || worker.Admin.Listen != "127.0.0.1:8082" {
		t.Errorf("got %s and %s", hook.Admin.Listen, worker.Admin.Listen)
	}
}

func TestAdmin_DemandsATokenWhereOthersCanReachIt(t *testing.T) {
	const long = "0123456789abcdef"
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(long+"-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		admin      app.Admin
		want, says string
	}{
		"loopback":                   {app.Admin{Listen: "127.0.0.1:8081"}, "", ""},
		"loopback by name":           {app.Admin{Listen: "localhost:8081"}, "", ""},
		"loopback, IPv6":             {app.Admin{Listen: "[::1]:8081"}, "", ""},
		"loopback with a token":      {app.Admin{Listen: "127.0.0.1:8081", Token: long}, long, ""},
		"every interface":            {app.Admin{Listen: ":8081"}, "", "ADMIN_TOKEN (--admin-token) is missing, and other machines can reach ADMIN_LISTEN :8081."},
		"every interface, written":   {app.Admin{Listen: "0.0.0.0:8081"}, "", "ADMIN_TOKEN (--admin-token) is missing, and other machines can reach ADMIN_LISTEN 0.0.0.0:8081"},
		"every interface, token":     {app.Admin{Listen: ":8081", Token: long}, long, ""},
		"every interface, file":      {app.Admin{Listen: ":8081", TokenFile: file}, long + "-file", ""},
		"a short token":              {app.Admin{Listen: ":8081", Token: long[1:]}, long[1:], "ADMIN_TOKEN (--admin-token) is shorter than 16 characters."},
		"a short token, on loopback": {app.Admin{Listen: "127.0.0.1:8081", Token: "x"}, "x", "ADMIN_TOKEN (--admin-token) is shorter than 16 characters."},
		"token and file":             {app.Admin{Listen: ":8081", Token: long, TokenFile: file}, "", "ADMIN_TOKEN (--admin-token) is given twice"},
		"no such file":               {app.Admin{Listen: ":8081", TokenFile: file + "x"}, "", "ADMIN_TOKEN_FILE (--admin-token-file) cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			var faults app.Faults
			if got := test.admin.Check(&faults); string(got) != test.want {
				t.Errorf("got token %q, want %q", string(got), test.want)
			}
			err := faults.Err()
			if test.says == "" && err != nil {
				t.Errorf("got %v", err)
			}
			if test.says != "" && (err == nil || len(faults) != 1 || !strings.Contains(err.Error(), test.says)) {
				t.Errorf("got %v, want one fault that says %q", err, test.says)
			}
			if err != nil && test.admin.Token == long && strings.Contains(err.Error(), long) {
				t.Errorf("it contains the token: %v", err)
			}
		})
	}
}

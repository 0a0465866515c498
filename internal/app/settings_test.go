package app_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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
		"PLANS": "config/plans", "RESYNC": "15m", "PENDING_DEADLINE": "72h",
		"LISTEN": ":8080", "MAX_BODY": "262144", "GROUP_COMMIT": "no", "MAX_CONNECTIONS": "2000", "DRAIN_DELAY": "0s", "EVENT_TYPES": "10dlc.*,brand.*,campaign.*",
		"ADMIN_LISTEN": "127.0.0.1:8081", "LOG_LEVEL": "info", "DATA": "./data", "REPLICAS": "1",
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

const keysAre = "in Mission Control (https://portal.telnyx.com), Account, Keys & Credentials"

func TestFaults_SayWhatIsWrongAndHowToMendIt(t *testing.T) {
	missing, large := filepath.Join(t.TempDir(), "missing"), filepath.Join(t.TempDir(), "large")
	must(t, os.WriteFile(large, make([]byte, 1<<17), 0o600))
	pipe := filepath.Join(t.TempDir(), "pipe") // nobody writes to it, so that who reads waits
	must(t, syscall.Mkfifo(pipe, 0o600))
	newAPIKey := "Create a key " + keysAre + ", API Keys, and put it into the environment or into a file that TELNYX_API_KEY_FILE names."
	newPublicKey := "Copy it " + keysAre + ", Public Key: 44 characters that end in =."
	copyAgain := "Copy it again " + keysAre + ", Public Key."
	parsing := "; copy it from Mission Control (portal.telnyx.com): Account, Keys & Credentials, Public Key; it is 44 characters that end in =. "
	tooLarge := strconv.Itoa(webhook.MaxMaxBody + 1)
	types := ` Write types with commas between, such as 10dlc.*,brand.*; a star may end each.`
	for name, test := range map[string]struct {
		set  map[string]string
		want string
	}{
		"no API key":         {set: map[string]string{"TELNYX_API_KEY": ""}, want: "TELNYX_API_KEY (--telnyx-api-key) is missing. " + newAPIKey},
		"blank API key":      {set: map[string]string{"TELNYX_API_KEY": " \n"}, want: "TELNYX_API_KEY (--telnyx-api-key) is missing. " + newAPIKey},
		"API key twice":      {set: map[string]string{"TELNYX_API_KEY_FILE": missing}, want: "TELNYX_API_KEY (--telnyx-api-key) is given twice, directly and as a file. Leave out TELNYX_API_KEY or TELNYX_API_KEY_FILE."},
		"API key file away":  {set: map[string]string{"TELNYX_API_KEY": "", "TELNYX_API_KEY_FILE": missing}, want: "TELNYX_API_KEY_FILE (--telnyx-api-key-file) cannot be read: open " + missing + ": no such file or directory. " + newAPIKey},
		"API key file large": {set: map[string]string{"TELNYX_API_KEY": "", "TELNYX_API_KEY_FILE": large}, want: "TELNYX_API_KEY_FILE (--telnyx-api-key-file) cannot be read: " + large + " is larger than 65536 bytes. " + newAPIKey},
		"API key file empty": {set: map[string]string{"TELNYX_API_KEY": "", "TELNYX_API_KEY_FILE": os.DevNull}, want: "TELNYX_API_KEY (--telnyx-api-key) is missing. " + newAPIKey},

		"no public key":         {set: map[string]string{"TELNYX_PUBLIC_KEY": ""}, want: "TELNYX_PUBLIC_KEY (--telnyx-public-key) is missing. " + newPublicKey},
		"public key twice":      {set: map[string]string{"TELNYX_PUBLIC_KEY_FILE": missing}, want: "TELNYX_PUBLIC_KEY (--telnyx-public-key) is given twice, directly and as a file. Leave out TELNYX_PUBLIC_KEY or TELNYX_PUBLIC_KEY_FILE."},
		"public key file away":  {set: map[string]string{"TELNYX_PUBLIC_KEY": "", "TELNYX_PUBLIC_KEY_FILE": missing}, want: "TELNYX_PUBLIC_KEY_FILE (--telnyx-public-key-file) cannot be read: stat " + missing + ": no such file or directory. " + newPublicKey},
		"public key in a pipe":  {set: map[string]string{"TELNYX_PUBLIC_KEY": "", "TELNYX_PUBLIC_KEY_FILE": pipe}, want: "TELNYX_PUBLIC_KEY_FILE (--telnyx-public-key-file) cannot be read: " + pipe + " is not a regular file; a pipe or device may never end, and cannot be read again. " + newPublicKey},
		"public key too short":  {set: map[string]string{"TELNYX_PUBLIC_KEY": "c2hvcnQ="}, want: "TELNYX_PUBLIC_KEY (--telnyx-public-key) cannot be used: key 1 of 1: parse public key: it holds 5 bytes, not 32" + parsing + copyAgain},
		"public key in PEM":     {set: map[string]string{"TELNYX_PUBLIC_KEY": "-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----"}, want: "TELNYX_PUBLIC_KEY (--telnyx-public-key) cannot be used: key 1 of 1: parse public key: it is in PEM form, but Telnyx shows the bare key" + parsing + copyAgain},
		"API key as public key": {set: map[string]string{"TELNYX_PUBLIC_KEY": secretKey}, want: "TELNYX_PUBLIC_KEY (--telnyx-public-key) cannot be used: key 1 of 1: parse public key: it looks like an API key, which is a secret and another thing" + parsing + copyAgain},
		"second key bad":        {set: map[string]string{"TELNYX_PUBLIC_KEY": publicKey + ","}, want: "TELNYX_PUBLIC_KEY (--telnyx-public-key) cannot be used: key 2 of 2: parse public key: it is empty" + parsing + copyAgain},

		"base URL without scheme": {set: map[string]string{"TELNYX_BASE_URL": "api.telnyx.com/v2"}, want: `TELNYX_BASE_URL (--telnyx-base-url) is not a URL. Leave it out, or write it like https://api.telnyx.com/v2.`},
		"base URL of a file":      {set: map[string]string{"TELNYX_BASE_URL": "file://host/v2"}, want: `TELNYX_BASE_URL (--telnyx-base-url) is not a URL. Leave it out, or write it like https://api.telnyx.com/v2.`},
		"rate in words":           {set: map[string]string{"TELNYX_RATE": "fast"}, want: `TELNYX_RATE (--telnyx-rate) "fast" is not a valid rate. Use calls per second, above 0 and at most 1000 (for example 5 or 0.5), or leave it unset.`},
		"rate of zero":            {set: map[string]string{"TELNYX_RATE": "0"}, want: `TELNYX_RATE (--telnyx-rate) "0" is not a valid rate. Use calls per second, above 0 and at most 1000 (for example 5 or 0.5), or leave it unset.`},
		"rate that is no number":  {set: map[string]string{"TELNYX_RATE": "NaN"}, want: `TELNYX_RATE (--telnyx-rate) "NaN" is not a valid rate. Use calls per second, above 0 and at most 1000 (for example 5 or 0.5), or leave it unset.`},
		"rate without bound":      {set: map[string]string{"TELNYX_RATE": "Inf"}, want: `TELNYX_RATE (--telnyx-rate) "Inf" is not a valid rate. Use calls per second, above 0 and at most 1000 (for example 5 or 0.5), or leave it unset.`},
		"rate beyond the bound":   {set: map[string]string{"TELNYX_RATE": "1001"}, want: `TELNYX_RATE (--telnyx-rate) "1001" is not a valid rate. Use calls per second, above 0 and at most 1000 (for example 5 or 0.5), or leave it unset.`},
		"concurrency of zero":     {set: map[string]string{"TELNYX_CONCURRENCY": "0"}, want: `TELNYX_CONCURRENCY (--telnyx-concurrency) "0" is no number from 1 to 100. Leave it out for the default.`},
		"replicas in words":       {set: map[string]string{"REPLICAS": "three"}, want: `REPLICAS (--replicas) "three" is no number from 1 to 5. Leave it out for the default.`},
		"body over the stream's":  {set: map[string]string{"MAX_BODY": tooLarge}, want: fmt.Sprintf("MAX_BODY (--max-body) %q is no number from 1024 to %d. Leave it out for the default.", tooLarge, webhook.MaxMaxBody)},
		"body with a unit":        {set: map[string]string{"MAX_BODY": "256k"}, want: fmt.Sprintf(`MAX_BODY (--max-body) "256k" is no number from 1024 to %d. Leave it out for the default.`, webhook.MaxMaxBody)},

		"connections in words": {set: map[string]string{"MAX_CONNECTIONS": "many"}, want: `MAX_CONNECTIONS (--max-connections) "many" is no number from 10 to 100000. Leave it out for the default.`},
		"hardly a connection":  {set: map[string]string{"MAX_CONNECTIONS": "9"}, want: `MAX_CONNECTIONS (--max-connections) "9" is no number from 10 to 100000. Leave it out for the default.`},
		"drain without unit":   {set: map[string]string{"DRAIN_DELAY": "5"}, want: `DRAIN_DELAY (--drain-delay) "5" is no time between 0s and a minute. Write it like 5s.`},
		"drain too long":       {set: map[string]string{"DRAIN_DELAY": "61s"}, want: `DRAIN_DELAY (--drain-delay) "61s" is no time between 0s and a minute. Write it like 5s.`},

		"event type of a star":     {set: map[string]string{"EVENT_TYPES": "*"}, want: `EVENT_TYPES (--event-types) "*" is no event type.` + types},
		"event type, star inside":  {set: map[string]string{"EVENT_TYPES": "10dlc.*.update"}, want: `EVENT_TYPES (--event-types) "10dlc.*.update" is no event type.` + types},
		"event type, two stars":    {set: map[string]string{"EVENT_TYPES": "10dlc.**"}, want: `EVENT_TYPES (--event-types) "10dlc.**" is no event type.` + types},
		"event type with dot last": {set: map[string]string{"EVENT_TYPES": "10dlc."}, want: `EVENT_TYPES (--event-types) "10dlc." is no event type.` + types},
		"event types, comma last":  {set: map[string]string{"EVENT_TYPES": "10dlc.*,"}, want: `EVENT_TYPES (--event-types) "" is no event type.` + types},

		"listen without port":        {set: map[string]string{"LISTEN": "8080"}, want: `LISTEN (--listen) "8080" is no address to listen on. Write host and port, such as 127.0.0.1:8081, or :8080 for every interface.`},
		"listen on a name's port":    {set: map[string]string{"LISTEN": ":http"}, want: `LISTEN (--listen) ":http" is no address to listen on. Write host and port, such as 127.0.0.1:8081, or :8080 for every interface.`},
		"listen on a port below 0":   {set: map[string]string{"LISTEN": ":-1"}, want: `LISTEN (--listen) ":-1" is no address to listen on. Write host and port, such as 127.0.0.1:8081, or :8080 for every interface.`},
		"admin port too high":        {set: map[string]string{"ADMIN_LISTEN": ":65536"}, want: `ADMIN_LISTEN (--admin-listen) ":65536" is no address to listen on. Write host and port, such as 127.0.0.1:8081, or :8080 for every interface.`},
		"certificate without key":    {set: map[string]string{"TLS_CERT": missing}, want: "TLS_KEY (--tls-key) is missing, and TLS_CERT is given. Name the file with the certificate's private key, or leave out both."},
		"key without certificate":    {set: map[string]string{"TLS_KEY": missing}, want: "TLS_CERT (--tls-cert) is missing, and TLS_KEY is given. Name the file with the certificate, or leave out both."},
		"certificate away":           {set: map[string]string{"TLS_CERT": missing, "TLS_KEY": os.DevNull}, want: "TLS_CERT (--tls-cert) and TLS_KEY cannot be used: stat " + missing + ": no such file or directory\n" + os.DevNull + " is not a regular file; a pipe or device may never end, and cannot be read again. Name a certificate and its key, both in PEM form."},
		"files and issued ones":      {set: map[string]string{"TLS_CERT": missing, "TLS_KEY": missing, "TLS_AUTO": "a.example.com"}, want: "TLS_AUTO (--tls-auto) and TLS_CERT or TLS_KEY are given together. Leave out TLS_AUTO to use the files, or both files to have certificates issued."},
		"issued ones without host":   {set: map[string]string{"TLS_AUTO": " ", "TLS_AUTO_CACHE": missing}, want: `TLS_AUTO (--tls-auto) cannot be used: "" is not a public host name in small letters. Write names like hooks.example.com, with commas between.`},
		"issued ones for an address": {set: map[string]string{"TLS_AUTO": "192.0.2.1", "TLS_AUTO_CACHE": missing}, want: `TLS_AUTO (--tls-auto) cannot be used: "192.0.2.1" is not a public host name in small letters. Write names like hooks.example.com, with commas between.`},
		"issued ones without folder": {set: map[string]string{"TLS_AUTO": "a.example.com"}, want: "TLS_AUTO_CACHE (--tls-auto-cache) is missing, and TLS_AUTO is given. Name a folder that outlasts restarts: who asks for new certificates at each start soon gets none."},
		"folder without host":        {set: map[string]string{"TLS_AUTO_CACHE": missing}, want: "TLS_AUTO (--tls-auto) is missing, and TLS_AUTO_CACHE is given. Name the hosts to get certificates for, or leave out both."},
		"folder that is a file":      {set: map[string]string{"TLS_AUTO": "a.example.com", "TLS_AUTO_CACHE": os.DevNull}, want: "TLS_AUTO_CACHE (--tls-auto-cache) cannot be used: mkdir " + os.DevNull + ": not a directory. Name a folder of our own."},
		"directory without host":     {set: map[string]string{"TLS_AUTO_DIRECTORY": "https://ca.example.com/dir"}, want: "TLS_AUTO (--tls-auto) is missing, and TLS_AUTO_DIRECTORY is given. Name the hosts to get certificates for, or leave out both."},
		"directory in the clear":     {set: map[string]string{"TLS_AUTO": "a.example.com", "TLS_AUTO_CACHE": missing, "TLS_AUTO_DIRECTORY": "http://ca.example.com/dir"}, want: `TLS_AUTO_DIRECTORY (--tls-auto-directory) "http://ca.example.com/dir" is no https address. Write the address of an ACME directory, such as https://acme-staging-v02.api.letsencrypt.org/directory, or leave it out for Let's Encrypt's.`},
		"directory by name":          {set: map[string]string{"TLS_AUTO": "a.example.com", "TLS_AUTO_CACHE": missing, "TLS_AUTO_DIRECTORY": "staging"}, want: `TLS_AUTO_DIRECTORY (--tls-auto-directory) "staging" is no https address. Write the address of an ACME directory, such as https://acme-staging-v02.api.letsencrypt.org/directory, or leave it out for Let's Encrypt's.`},
		"group commit maybe":         {set: map[string]string{"GROUP_COMMIT": "maybe"}, want: `GROUP_COMMIT (--group-commit) is "maybe". Write yes or no.`},
		"resync in words":            {set: map[string]string{"RESYNC": "hourly"}, want: `RESYNC (--resync) "hourly" is no time between a second and a day. Write it like 15m or 1h30m.`},
		"resync without unit":        {set: map[string]string{"RESYNC": "15"}, want: `RESYNC (--resync) "15" is no time between a second and a day. Write it like 15m or 1h30m.`},
		"resync too often":           {set: map[string]string{"RESYNC": "999ms"}, want: `RESYNC (--resync) "999ms" is no time between a second and a day. Write it like 15m or 1h30m.`},
		"resync too rare":            {set: map[string]string{"RESYNC": "25h"}, want: `RESYNC (--resync) "25h" is no time between a second and a day. Write it like 15m or 1h30m.`},
		"deadline too short":         {set: map[string]string{"PENDING_DEADLINE": "59s"}, want: `PENDING_DEADLINE (--pending-deadline) "59s" is no time between a minute and 30 days (720h). Write it like 72h.`},
		"deadline too long":          {set: map[string]string{"PENDING_DEADLINE": "721h"}, want: `PENDING_DEADLINE (--pending-deadline) "721h" is no time between a minute and 30 days (720h). Write it like 72h.`},
		"log level unknown":          {set: map[string]string{"LOG_LEVEL": "loud"}, want: `LOG_LEVEL (--log-level) "loud" is no level. Write debug, info, warn or error.`},
		"log format unknown":         {set: map[string]string{"LOG_FORMAT": "xml"}, want: `LOG_FORMAT (--log-format) "xml" is no format. Write json or console, or leave it out.`},
	} {
		t.Run(name, func(t *testing.T) {
			clearEnv(t)
			for setting, value := range test.set {
				t.Setenv(setting, value)
			}
			faults := parse(t).check()
			if len(faults) != 1 || faults[0].Error() != test.want {
				t.Errorf("got  %v\nwant %s", faults, test.want)
			}
			if err := faults.Err(); err == nil || strings.Contains(err.Error(), secretKey) {
				t.Errorf("the error has the API key in it: %v", err)
			}
		})
	}
}

func TestFaults_NamePlansThatCannotBeUsed(t *testing.T) {
	clearEnv(t)
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "spring.yaml"), []byte("version: 1\ncampaigns: none\n"), 0o600))
	t.Setenv("PLANS", dir)
	err := parse(t).check().Err()
	if err == nil || !strings.Contains(err.Error(), "PLANS (--plans) "+dir+" cannot be used:\n  ") || !strings.Contains(err.Error(), "spring.yaml:2:") {
		t.Errorf("got %v, want the folder and the file's line", err)
	}
}

func TestFaults_AreToldAllAtOnce(t *testing.T) {
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
	if err == nil || !strings.HasPrefix(err.Error(), "cannot start yet:\n  ") {
		t.Fatalf("got %v, want one error with all faults", err)
	}
	for setting := range spoiled {
		if !strings.Contains(err.Error(), "\n  "+setting+" (--"+app.FlagName(setting)+") ") {
			t.Errorf("%s is not told in:\n%v", setting, err)
		}
	}
	if got := strings.Count(err.Error(), "EVENT_TYPES (--"); got != 2 {
		t.Errorf("got %d faults of event types, want 2", got)
	}
	if fault, ok := errors.AsType[*app.Fault](err); !ok || fault.Setting == "" {
		t.Errorf("the error holds no Fault: %+v", fault)
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

func TestWebhook_IsServedAsItWasTold(t *testing.T) {
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

func TestConnect_NeverTellsTheToken(t *testing.T) {
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
		"nobody there":              {app.NATS{URL: "nats://" + natsToken + "@" + closed}, "cannot be used: connect to NATS at nats://" + closed},
		"user and password":         {app.NATS{URL: "nats://me:" + natsToken + "@" + closed}, "cannot be used: connect to NATS at nats://" + closed},
		"no scheme":                 {app.NATS{URL: natsToken + "@" + closed}, "cannot be used: connect to NATS at nats://" + closed},
		"over a websocket":          {app.NATS{URL: "ws://" + natsToken + "@" + closed}, "cannot be used: connect to NATS at ws://" + closed},
		"second of two":             {app.NATS{URL: "nats://" + closed + ",nats://" + natsToken + "@" + closed}, "cannot be used: connect to NATS at nats://" + closed},
		"port in words":             {app.NATS{URL: "nats://" + natsToken + "@127.0.0.1:x"}, "is no address of a NATS server. Write it like nats://localhost:4222"},
		"control character":         {app.NATS{URL: "nats://" + natsToken + "\x7f@127.0.0.1:4222"}, "is no address of a NATS server. Write it like nats://localhost:4222"},
		"percent sign":              {app.NATS{URL: "nats://" + natsToken + "%@127.0.0.1:4222"}, "is no address of a NATS server. Write it like nats://localhost:4222"},
		"port in words, in a file":  {app.NATS{URLFile: garbled}, "is no address of a NATS server. Write it like nats://localhost:4222"},
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
				t.Errorf("the token is told: %v", err)
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
		"no URL":           {app.NATS{}, "NATS_URL (--nats-url) is missing. Start a NATS server with JetStream and write its address, such as nats://localhost:4222; or use greenlight up, which brings its own."},
		"URL file away":    {app.NATS{URLFile: missing}, "NATS_URL_FILE (--nats-url-file) cannot be read: open " + missing},
		"credentials away": {app.NATS{URL: "nats://localhost:1", Creds: missing}, "NATS_CREDS (--nats-creds) cannot be read: stat " + missing + ": no such file or directory. Name the .creds file of the NATS account, or leave it out."},
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

func TestConnect_CallsNobodyWhileThereIsMoreToMend(t *testing.T) {
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
		t.Errorf("somebody called: %v, %v", conn, err)
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

func TestConnectOrFind_SaysThatNobodyRuns(t *testing.T) {
	for name, test := range map[string]struct {
		file func(path string) error
		want string
	}{
		"no file":    {func(string) error { return nil }, "is missing, and no greenlight up runs on "},
		"empty file": {func(path string) error { return os.WriteFile(path, nil, 0o600) }, "is missing, and no greenlight up runs on "},
		"unreadable": {func(path string) error { return os.Mkdir(path, 0o700) }, "is missing, and the address of greenlight up cannot be read: read "},
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

func TestParse_HelpTellsEverySettingAndNoSecret(t *testing.T) {
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
		t.Errorf("the help tells a secret:\n%s", help.String())
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

func TestLogger_WritesAsItWasTold(t *testing.T) {
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
		"every interface":            {app.Admin{Listen: ":8081"}, "", "ADMIN_TOKEN (--admin-token) is missing, and ADMIN_LISTEN :8081 can be reached from other machines."},
		"every interface, written":   {app.Admin{Listen: "0.0.0.0:8081"}, "", "ADMIN_TOKEN (--admin-token) is missing, and ADMIN_LISTEN 0.0.0.0:8081"},
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
				t.Errorf("it tells the token: %v", err)
			}
		})
	}
}

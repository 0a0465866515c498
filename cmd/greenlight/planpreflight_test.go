package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"greenlight/internal/app"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

const (
	preflightKey = "KEY0123456789_s3cret"
	preflightID  = "751c6a5c-907b-43a9-8ada-ba1dc8335b07"
)

// account is a simulated Telnyx, and what commands need to find it.
type account struct {
	*telnyxsim.Simulator
	url, key string
}

// simulated starts a simulated Telnyx with a campaign that waits for approval and
// the number +15551234567. The test runs beside others.
func simulated(t *testing.T) account {
	t.Helper()
	t.Parallel()
	sim := telnyxsim.New(telnyxsim.Options{RequiredAPIKey: preflightKey})
	t.Cleanup(sim.Close)
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	sim.AddCampaign(telnyxsim.Campaign{ID: preflightID, WebhookURL: "https://greenlight.example.com/webhooks/telnyx"})
	sim.AddNumbers(telnyxsim.Number{PhoneNumber: "+15551234567", MessagingProfileID: "4001776e-5b1a-4d0c-9f2e-2d9a7b9c1e10"})
	return account{sim, server.URL + "/v2", preflightKey}
}

// planFile writes a plan of the numbers and returns its path.
func planFile(t *testing.T, numbers string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "spring.yaml")
	text := "version: 1\ncampaigns:\n  - name: spring\n    campaign_id: " + preflightID + "\n    numbers: [" + numbers + "]\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// result is what a command printed and how it ended.
type result struct {
	stdout, stderr string // stderr is what app.Main prints
	code           int
}

// run runs a command as a user does, and fails if the API key shows anywhere.
func (a account) run(t *testing.T, args ...string) result {
	t.Helper()
	args = append(args, "--telnyx-base-url", a.url, "--telnyx-api-key", a.key, "--telnyx-rate", "1000")
	var stdout, stderr bytes.Buffer
	err := run(t.Context(), args, output{&stdout, &stderr})
	end := result{stdout: stdout.String(), stderr: stderr.String()}
	if err != nil {
		end.code = 1
		if coded, ok := errors.AsType[*app.ExitCode](err); ok {
			end.code, err = coded.Code, coded.Err
		}
	}
	if err != nil {
		end.stderr += err.Error()
	}
	if strings.Contains(end.stdout+end.stderr, "s3cret") {
		t.Errorf("the API key shows: %+v", end)
	}
	return end
}

func TestPlanPreflight_EndsWithWhatItFound(t *testing.T) {
	sim := simulated(t)
	good, bad := planFile(t, "+15551234567"), planFile(t, "+15551234568")
	t.Run("clean", func(t *testing.T) {
		got := sim.run(t, "plan", "preflight", good)
		if got.code != 0 || got.stderr != "" || !strings.HasSuffix(got.stdout, "\n\nNo problems found in 1 campaign and 1 number.\n") {
			t.Errorf("got %+v, want that all is well", got)
		}
	})
	t.Run("findings", func(t *testing.T) {
		got := sim.run(t, "plan", "preflight", "--plans", bad)
		if got.code != 2 || got.stderr != "" || !strings.Contains(got.stdout, bad+":5:15") || !strings.Contains(got.stdout, "not_owned: number +15551234568") {
			t.Errorf("got %+v, want code 2 and the finding", got)
		}
	})
	t.Run("several paths", func(t *testing.T) {
		got := sim.run(t, "plan", "preflight", good, bad)
		if got.code != 2 || !strings.HasPrefix(got.stdout, good+":\n\n") || !strings.Contains(got.stdout, "1 number.\n\n"+bad+":\n\n") {
			t.Errorf("got %+v, want both with their paths", got)
		}
	})
	t.Run("JSON", func(t *testing.T) {
		got := sim.run(t, "plan", "preflight", "--json", good, bad)
		var answer struct {
			Clean *bool
			Plans []struct {
				Path     string
				Clean    bool
				Findings []struct{ Code, Number, File string }
			}
		}
		if err := json.Unmarshal([]byte(got.stdout), &answer); err != nil {
			t.Fatalf("%v: %s", err, got.stdout)
		}
		if got.code != 2 || *answer.Clean || len(answer.Plans) != 2 || !answer.Plans[0].Clean || answer.Plans[1].Path != bad ||
			answer.Plans[1].Findings[0].Code != "not_owned" || answer.Plans[1].Findings[0].Number != "+15551234568" || answer.Plans[1].Findings[0].File != bad {
			t.Errorf("got %+v of %s", got, got.stdout)
		}
		if got := sim.run(t, "plan", "preflight", "--json", good); got.code != 0 || !strings.HasPrefix(got.stdout, "{\n  \"clean\": true,\n") {
			t.Errorf("got %+v, want a clean report", got)
		}
	})
	if writes := sim.Writes(); len(writes) != 0 {
		t.Errorf("it wrote: %+v", writes)
	}
}

func TestPlanPreflight_AsksNobodyAboutPlansWithFaults(t *testing.T) {
	sim := simulated(t)
	good, bad := planFile(t, "+15551234567"), planFile(t, "5551234567")
	got := sim.run(t, "plan", "preflight", good, bad)
	if got.code != 1 || got.stderr != "" || !strings.Contains(got.stdout, bad+":5:15: number \"5551234567\": has no country code") {
		t.Errorf("got %+v, want the fault", got)
	}
	if got := sim.run(t, "plan", "preflight", "--json", bad); got.code != 1 || !strings.HasPrefix(got.stdout, "{\n  \"valid\": false,\n") {
		t.Errorf("got %+v, want the fault as JSON", got)
	}
	sim.key = ""
	if got := sim.run(t, "plan", "preflight", bad); got.code != 1 || !strings.Contains(got.stdout, "has no country code") || !strings.Contains(got.stderr, "TELNYX_API_KEY") {
		t.Errorf("got %+v, want the fault and the setting that is missing", got)
	}
	if calls := sim.Calls(); len(calls) != 0 {
		t.Errorf("it asked: %v", calls)
	}
}

func TestPlanPreflight_SaysWhyTelnyxCannotBeAsked(t *testing.T) {
	sim := simulated(t)
	path := planFile(t, "+15551234567")
	for name, test := range map[string]struct{ key, url, concurrency, want string }{
		"no key":      {"", sim.url, "8", "TELNYX_API_KEY (--telnyx-api-key) is missing"},
		"another key": {"KEY9999_s3cret", sim.url, "8", "Telnyx refuses the API key. Check TELNYX_API_KEY"},
		"no answer":   {sim.key, "http://127.0.0.1:1/v2", "8", "Telnyx did not answer"},
		"no address":  {sim.key, "telnyx", "8", "is not a URL"},
		"no number":   {sim.key, sim.url, "many", `TELNYX_CONCURRENCY (--telnyx-concurrency) is "many"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := account{sim.Simulator, test.url, test.key}
			got := asked.run(t, "plan", "preflight", path, "--telnyx-concurrency", test.concurrency)
			if got.code != 1 || got.stdout != "" || !strings.Contains(got.stderr, test.want) {
				t.Errorf("got %+v, want code 1 and %q", got, test.want)
			}
		})
	}
}

func TestReadOnlyClient_RefusesToWrite(t *testing.T) {
	sim := simulated(t)
	var faults app.Faults
	client, concurrency := app.Telnyx{APIKey: preflightKey, BaseURL: sim.url, Concurrency: "3"}.ReadOnlyClient(&faults)
	if err := faults.Err(); err != nil || concurrency != 3 {
		t.Fatalf("got %v and concurrency %d", err, concurrency)
	}
	if _, err := client.Campaign(t.Context(), preflightID); err != nil {
		t.Errorf("it cannot read: %v", err)
	}
	_, err := client.Assign(t.Context(), "+15551234567", preflightID)
	if _, refused := errors.AsType[*telnyx.ConnectionError](err); !refused || !strings.Contains(err.Error(), "was not sent") {
		t.Errorf("got %v, want that it was not sent", err)
	}
	if writes := sim.Writes(); len(writes) != 0 {
		t.Errorf("it wrote: %+v", writes)
	}
}

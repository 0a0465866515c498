//go:build unix

package endtoend_test

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/doctor"
	"greenlight/internal/events"
	"greenlight/internal/events/embedded"
	"greenlight/internal/ledger"
	"greenlight/internal/notice"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/testkit"
	"greenlight/internal/webhook"
)

const (
	olderFolder = "testdata/data-2026-11.tar.gz"
	doneID      = "651c6a5c-907b-43a9-8ada-ba1dc8335b07"
	doneNumbers = "+12125550181 +12125550182"
	laterID     = "851c6a5c-907b-43a9-8ada-ba1dc8335b07"
	laterNumber = "+12125550188"
	olderPlan   = `
version: 1
campaigns:
- name: spring
  campaign_id: ` + campaignID + `
  numbers: [+12125550142, +12125550143, +15551234567, +15551234568, +15551234569, +12125550199]
- name: autumn
  campaign_id: ` + doneID + `
  numbers: [+12125550181, +12125550182]
- name: later
  campaign_id: ` + laterID + `
  numbers: [` + laterNumber + `]
`
)

// A data folder from before the first release: its state is kept, its history can be read,
// no request is repeated, completed campaigns are not reported again, and pending work
// continues.
func TestUpgrade_ReadsAnOlderDataFolder(t *testing.T) {
	t.Parallel()
	up := olderWorld(t)
	data := unpack(t, olderFolder)
	out, stop := up.run(data)
	up.eventually("everything is as before", func() (bool, string) {
		s, text := up.status(out)
		return s.Totals[ledger.Sendable] == 7 && s.Totals[ledger.Failed] == 1 && s.Totals[ledger.Planned] == 1 && len(s.Campaigns) == 3, text
	})
	up.eventually("the notice of the completed campaign is recorded", func() (bool, string) {
		s, text := up.status(out)
		return strings.HasPrefix(s.noticed("autumn"), string(notice.Completed)), text
	})
	up.must(up.sim.Approve(laterID))
	up.eventually("it continues", func() (bool, string) {
		s, text := up.status(out)
		return s.Totals[ledger.Sendable] == 8, text
	})
	for _, write := range up.sim.Writes() {
		if write.PhoneNumber != laterNumber {
			t.Errorf("%s %s for %s, which was attached before", write.Method, write.Path, write.PhoneNumber)
		}
	}
	why, err := exec.Command(up.commands+"greenlight", "why", "+15551234567", "--data", data).CombinedOutput()
	if err != nil {
		t.Errorf("greenlight why: %v\n%s", err, why)
	}
	for _, state := range []string{"planned", "attaching", "pending", "sendable"} {
		if !strings.Contains(string(why), state) {
			t.Errorf("the older history does not say that the number was %s:\n%s", state, why)
		}
	}
	// One of two completed campaigns is new.
	up.eventually("the campaign that is completed now is reported", func() (bool, string) {
		return strings.Contains(out.String(), "Completed: 1 of 1 planned number attached to campaign later"), out.String()
	})
	if n := strings.Count(out.String(), "Completed:"); n != 1 {
		t.Errorf("%d campaigns are reported as completed, want only the new one:\n%s", n, out.String())
	}
	stop()
}

// An older program must neither revert nor misread the data of a newer one.
func TestUpgrade_AnOlderProgramRefusesNewerData(t *testing.T) {
	t.Parallel()
	up := olderWorld(t)
	for name, test := range map[string]struct {
		newer, want string
		programs    []string
	}{
		"a stream": {"EVENTS", "stream EVENTS was made by a newer Greenlight", []string{"webhook", "assigner"}},
		"a bucket": {"KV_NUMBERS", "stream KV_NUMBERS was made by a newer Greenlight", []string{"assigner"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := unpack(t, olderFolder)
			withServer(t, data, func(js jetstream.JetStream) {
				if got := doctored(t, js); got.Level != doctor.OK || !strings.Contains(got.Message, "creates bucket LOOKS and stream NOTICES") || !strings.Contains(got.Message, "stream EVENTS (") {
					t.Errorf("doctor says of an older folder: %+v", got)
				}
				markNewer(t, js, test.newer)
				if got := doctored(t, js); got.Level != doctor.Fail || !strings.Contains(got.Message, "version 9.9.0") {
					t.Errorf("doctor says of a newer folder: %+v", got)
				}
				for _, name := range test.programs {
					part := exec.Command(up.commands + name)
					part.Env = append(os.Environ(), "NATS_URL_FILE="+filepath.Join(data, events.EmbeddedURLFile), "PLANS="+up.plans, "LISTEN=127.0.0.1:0", "ADMIN_LISTEN=127.0.0.1:0",
						"TELNYX_API_KEY="+apiKey, "TELNYX_BASE_URL="+up.api.URL+"/v2", "TELNYX_PUBLIC_KEY="+up.sim.PublicKey())
					if out, err := part.CombinedOutput(); err == nil || !strings.Contains(string(out), test.want) {
						t.Errorf("%s on newer data: %v\n%s", name, err, out)
					}
				}
			})
			command, out := up.command(data)
			up.must(command.Start())
			ended := make(chan error, 1)
			go func() { ended <- command.Wait() }()
			select {
			case err := <-ended:
				exit, failed := errors.AsType[*exec.ExitError](err)
				if !failed || exit.ExitCode() != 1 {
					t.Errorf("it ended with %v, want 1", err)
				}
			case <-time.After(patience):
				_ = command.Process.Kill()
				t.Errorf("it did not end")
			}
			if !strings.Contains(out.String(), test.want) || !strings.Contains(out.String(), "version 9.9.0") || !strings.Contains(out.String(), "start the newer program") {
				t.Errorf("got\n%s\nwant %q and what to do", out.String(), test.want)
			}
		})
	}
}

// doctored returns the doctor's finding about an upgrade.
func doctored(t *testing.T, js jetstream.JetStream) doctor.Finding {
	t.Helper()
	wanted, found := append(slices.Concat(events.Settings(), ledger.Settings()), notice.Settings()), map[string]jetstream.StreamConfig{}
	for _, settings := range wanted {
		stream, err := js.Stream(t.Context(), settings.Name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		found[settings.Name] = stream.CachedInfo().Config
	}
	return doctor.Upgrade(wanted, found)
}

// TestOlderFolder_IsMade recreates the older data folder with the older program.
// testdata/README.md says when and how.
func TestOlderFolder_IsMade(t *testing.T) {
	commands := os.Getenv("GREENLIGHT_OLDER")
	if commands == "" {
		t.Skip("it was made once and does not change")
	}
	address := "127.0.0.1:" + testkit.FreePort(t)
	up := newOlderWorld(t, commands+"/", "http://"+address+webhook.Path, telnyx.CampaignMNOPending)
	up.env = []string{"LISTEN=" + address, "RESYNC=1h"} // so that no resync comes before the notifications
	data := filepath.Join(t.TempDir(), "data")
	out, stop := up.run(data)
	up.eventually("the campaigns are read", func() (bool, string) {
		s, text := up.status(out)
		return s.Totals[ledger.Planned] == 9 && len(s.Campaigns) == 3, text
	})
	up.must(up.sim.Approve(campaignID))
	up.must(up.sim.Approve(doneID))
	up.eventually("one campaign is completed, one in part", func() (bool, string) {
		s, text := up.status(out)
		return s.Totals[ledger.Sendable] == 7 && s.Totals[ledger.Failed] == 1 && s.Totals[ledger.Planned] == 1, text
	})
	stop()
	pack(t, data, olderFolder)
}

// olderWorld is the world of the older data folder.
func olderWorld(t *testing.T) upProcess {
	t.Helper()
	commands, err := buildCommands()
	if err != nil {
		t.Fatal(err)
	}
	up := newOlderWorld(t, commands, "", telnyx.CampaignMNOProvisioned)
	for campaign, attached := range map[string]string{campaignID: numbers, doneID: doneNumbers} {
		for number := range strings.FieldsSeq(attached) {
			up.must(up.sim.AttachNumber(number, campaign, telnyx.Assigned))
		}
	}
	return up
}

// newOlderWorld is that world before any number is attached. The campaigns that the older
// program saw approved have the given status.
func newOlderWorld(t *testing.T, commands, hook string, status telnyx.CampaignStatus) upProcess {
	t.Helper()
	w := newWorld(t, telnyxsim.Options{})
	for number := range strings.FieldsSeq(numbers + " " + doneNumbers + " " + laterNumber) {
		w.sim.AddNumbers(telnyxsim.Number{PhoneNumber: number, MessagingProfileID: profileID})
	}
	w.sim.AddCampaign(telnyxsim.Campaign{ID: campaignID, CampaignStatus: status, WebhookURL: hook})
	w.sim.AddCampaign(telnyxsim.Campaign{ID: doneID, CampaignStatus: status, WebhookURL: hook})
	w.sim.AddCampaign(telnyxsim.Campaign{ID: laterID, CampaignStatus: telnyx.CampaignMNOPending, WebhookURL: hook})
	plans := filepath.Join(t.TempDir(), "plan.yaml")
	w.must(os.WriteFile(plans, []byte(olderPlan), 0o600))
	return upProcess{world: w, commands: commands, plans: plans}
}

// markNewer marks a stream as made by a newer program.
func markNewer(t *testing.T, js jetstream.JetStream, name string) {
	t.Helper()
	stream, err := js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	config := stream.CachedInfo().Config
	config.Metadata = map[string]string{"greenlight_layout": "99", "greenlight_version": "9.9.0"}
	if _, err := js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
}

// withServer runs f with the streams of a data folder that no other process uses.
func withServer(t *testing.T, data string, do func(jetstream.JetStream)) {
	t.Helper()
	server, err := embedded.Start(embedded.Options{Dir: data, Listen: true})
	if err != nil {
		t.Fatal(err)
	}
	nc, err := events.Connect("", "test", server.InProcess()...)
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	do(js)
	nc.Close()
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
}

// pack archives a data folder.
func pack(t *testing.T, dir, archive string) {
	t.Helper()
	file, err := os.Create(archive)
	if err != nil {
		t.Fatal(err)
	}
	zipped := gzip.NewWriter(file)
	entries := tar.NewWriter(zipped)
	if err := errors.Join(entries.AddFS(os.DirFS(dir)), entries.Close(), zipped.Close(), file.Close()); err != nil {
		t.Fatal(err)
	}
}

// unpack unpacks an archive of a data folder.
func unpack(t *testing.T, archive string) (dir string) {
	t.Helper()
	dir = filepath.Join(testkit.MemoryDir(t), "data")
	file, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	for entries := tar.NewReader(unzipped); ; {
		entry, err := entries.Next()
		if err == io.EOF {
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.FromSlash(entry.Name))
		if entry.Typeflag == tar.TypeDir {
			err = os.MkdirAll(path, 0o700)
		} else {
			var content []byte
			if content, err = io.ReadAll(entries); err == nil {
				err = os.WriteFile(path, content, 0o600)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

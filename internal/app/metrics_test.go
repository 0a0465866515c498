package app_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/rs/zerolog"

	"greenlight/internal/app"
	"greenlight/internal/assigner"
	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/testkit"
	"greenlight/internal/webhook"
)

var update = flag.Bool("update", false, "rewrite the generated parts of documentation pages")

const (
	goodCampaign = "751c6a5c-907b-43a9-8ada-ba1dc8335b07"
	badCampaign  = "11111111-907b-43a9-8ada-ba1dc8335b07"
	apiKey       = "KEY0123456789_process_secret"
	// patience is how long a test waits for what takes milliseconds.
	patience = 30 * time.Second
)

// fullRun is a process with every part that has metrics, that has handled the approval
// of one campaign and the rejection of another.
type fullRun struct {
	t       *testing.T
	sim     *telnyxsim.Simulator
	private string
	door    string
	log     *testkit.Buffer
	book    *ledger.Ledger
	js      jetstream.JetStream
	set     *app.Plans
}

// taker is a receiver of notices that takes each.
type taker struct{}

func (taker) Send(context.Context, string) error { return nil }

// certificateFiles writes a certificate for the loopback address and its key.
func certificateFiles(t *testing.T) (cert, key string) {
	t.Helper()
	return certificateUntil(t, time.Now().Add(24*time.Hour))
}

func certificateUntil(t *testing.T, end time.Time) (cert, key string) {
	t.Helper()
	private := must2(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "hooks.example.com"}, DNSNames: []string{"hooks.example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: end,
	}
	der := must2(x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private))
	cert, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	must(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must2(x509.MarshalPKCS8PrivateKey(private))}), 0o600))
	return cert, key
}

func startFullRun(t *testing.T) *fullRun {
	t.Helper()
	nc := testkit.Connect(t, testkit.Embedded(t))
	r := &fullRun{t: t, log: &testkit.Buffer{}}
	var err error
	r.js, err = jetstream.New(nc)
	must(t, err)
	p, err := app.New(t.Context(), nc, 1, zerolog.New(r.log))
	must(t, err)
	p.CheckEvery(400 * time.Millisecond)
	r.sim = telnyxsim.New(telnyxsim.Options{RequiredAPIKey: apiKey})
	t.Cleanup(r.sim.Close)
	r.addWebhook(p)
	r.addAssigner(p)
	must(t, p.AddNotices(t.Context(), taker{}))
	private := listen(t)
	r.private = private.Addr().String()
	p.AddPrivate(private, "")
	r.book, err = ledger.Open(t.Context(), r.js)
	must(t, err)
	run(t, p)
	return r
}

// addWebhook adds the door, and has the simulator post to it what becomes of two campaigns.
func (r *fullRun) addWebhook(p *app.Process) {
	r.t.Helper()
	files, err := app.LoadCertificate(certificateFiles(r.t))
	must(r.t, err)
	public := listen(r.t)
	r.door = public.Addr().String()
	must(r.t, p.AddWebhook(webhook.Config{Verifier: verifier(r.t, r.sim)}, public, app.Public{Certificates: files}))
	// The simulator does not trust the door's certificate.
	way := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:   func(out *httputil.ProxyRequest) { out.SetURL(&url.URL{Scheme: "https", Host: r.door}) },
		Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: insecure()},
	})
	r.t.Cleanup(way.Close)
	for _, id := range []string{goodCampaign, badCampaign} {
		r.sim.AddCampaign(telnyxsim.Campaign{ID: id, CampaignStatus: telnyx.CampaignMNOPending, WebhookURL: way.URL + webhook.Path})
	}
}

// addAssigner adds plans for both campaigns, and an assigner.
func (r *fullRun) addAssigner(p *app.Process) {
	r.t.Helper()
	plans := filepath.Join(r.t.TempDir(), "plan.yaml")
	must(r.t, os.WriteFile(plans, []byte(`version: 1
campaigns:
  - name: spring-promo
    campaign_id: `+goodCampaign+`
    numbers: ["+15551234567", "+15551234568"]
  - name: autumn-promo
    campaign_id: `+badCampaign+`
    numbers: ["+12125550142"]
`), 0o600))
	for _, number := range []string{"+15551234567", "+15551234568", "+12125550142"} {
		r.sim.AddNumbers(telnyxsim.Number{PhoneNumber: number, MessagingProfileID: "4001776e-0000-4000-8000-000000000001"})
	}
	var err error
	r.set, err = app.WatchPlans(plans)
	must(r.t, err)
	p.AddPlans(r.set)
	api := httptest.NewServer(r.sim)
	r.t.Cleanup(api.Close)
	must(r.t, p.AddAssigner(r.t.Context(), assigner.Config{
		Telnyx: &telnyx.Client{APIKey: apiKey, BaseURL: api.URL + "/v2", Limiter: telnyx.NewLimiter(telnyx.LimiterConfig{Ceiling: 100, Concurrency: 8})},
		Plans:  r.set.Set,
		Resync: time.Hour,
		Timing: events.Timing{AckWait: 1500 * time.Millisecond, PinnedTTL: 2 * time.Second, PullExpiry: time.Second},
	}))
}

// until waits until something is reached.
func (r *fullRun) until(what string, reached func() (bool, string)) {
	r.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		ok, got := reached()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("%s: not reached; got %s\nthe log:\n%s", what, got, r.log.String())
		}
	}
}

func (r *fullRun) phase(campaign string, phase ledger.Phase) {
	r.t.Helper()
	r.until(campaign+" "+string(phase), func() (bool, string) {
		entry, _, err := r.book.Campaign(r.t.Context(), campaign)
		must(r.t, err)
		return entry.Campaign.Phase == phase, fmt.Sprintf("%+v", entry.Campaign)
	})
}

func (r *fullRun) reaches(campaign string, state ledger.State) {
	r.t.Helper()
	r.until(campaign+" "+string(state), func() (bool, string) {
		entries, err := r.book.Numbers(r.t.Context(), campaign)
		must(r.t, err)
		for _, entry := range entries {
			if entry.Number.State != state {
				return false, fmt.Sprintf("%+v", entry.Number)
			}
		}
		return len(entries) > 0, "none"
	})
}

// person waits until every number of a campaign needs a person.
func (r *fullRun) person(campaign string) {
	r.t.Helper()
	r.until(campaign+" needs a person", func() (bool, string) {
		entries, err := r.book.Numbers(r.t.Context(), campaign)
		must(r.t, err)
		for _, entry := range entries {
			if !entry.Number.NeedsPerson {
				return false, fmt.Sprintf("%+v", entry.Number)
			}
		}
		return len(entries) > 0, "none"
	})
}

// post posts a delivery that the simulator signed, or an unsigned one.
func (r *fullRun) post(body string, signed bool) int {
	r.t.Helper()
	request := must2(http.NewRequestWithContext(r.t.Context(), http.MethodPost, "https://"+r.door+webhook.Path, strings.NewReader(body)))
	if signed {
		request.Header = r.sim.SignedHeader(time.Now(), []byte(body))
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: insecure()}, Timeout: patience}
	answer, err := client.Do(request)
	must(r.t, err)
	answer.Body.Close()
	return answer.StatusCode
}

// work has one campaign approved and one rejected.
func (r *fullRun) work() {
	r.t.Helper()
	r.phase(goodCampaign, ledger.PhaseInReview)
	r.phase(badCampaign, ledger.PhaseInReview)
	must(r.t, r.sim.Approve(goodCampaign))
	r.reaches(goodCampaign, ledger.Sendable)
	must(r.t, r.sim.Reject(badCampaign, "no opt-in"))
	r.phase(badCampaign, ledger.PhaseRejected)
	r.person(badCampaign)
	if got := r.post(`{}`, false); got != http.StatusUnauthorized {
		r.t.Errorf("an unsigned delivery got %d", got)
	}
	if got := r.post(`"no event"`, true); got != http.StatusOK {
		r.t.Errorf("a signed body that is not an event got %d", got)
	}
}

// families reads the metrics as Prometheus does, by name, ours alone.
func (r *fullRun) families() map[string]*dto.MetricFamily {
	r.t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	all, err := parser.TextToMetricFamilies(strings.NewReader(get(r.t, r.private, "/metrics", http.StatusOK)))
	must(r.t, err)
	maps.DeleteFunc(all, func(name string, _ *dto.MetricFamily) bool { return !strings.HasPrefix(name, "greenlight_") })
	return all
}

// value returns one metric's value, by name and labels in the form a="b",c="d".
func (r *fullRun) value(name, labels string) (float64, bool) {
	r.t.Helper()
	for _, metric := range r.families()[name].GetMetric() {
		var got []string
		for _, label := range metric.GetLabel() {
			got = append(got, fmt.Sprintf("%s=%q", label.GetName(), label.GetValue()))
		}
		if strings.Join(got, ",") != labels {
			continue
		}
		switch {
		case metric.GetHistogram() != nil:
			return float64(metric.GetHistogram().GetSampleCount()), true
		case metric.GetCounter() != nil:
			return metric.GetCounter().GetValue(), true
		default:
			return metric.GetGauge().GetValue(), true
		}
	}
	return 0, false
}

func (r *fullRun) untilValue(name, labels string, want float64) {
	r.t.Helper()
	r.until(name+"{"+labels+"}", func() (bool, string) {
		got, there := r.value(name, labels)
		return there && got == want, fmt.Sprintf("%g (%t), want %g", got, there, want)
	})
}

func TestMetrics_CountWhatHappened(t *testing.T) {
	t.Parallel()
	r := startFullRun(t)
	r.work()
	build := app.ThisBuild()
	for _, want := range []struct {
		name, labels string
		value        float64
	}{
		{"greenlight_webhook_events_total", `answer="dead_lettered",type="other"`, 1},
		{"greenlight_webhook_refused_total", `cause="",code="signature_missing"`, 1},
		{"greenlight_webhook_refused_total", `cause="",code="signature_mismatch"`, 0},
		{"greenlight_numbers", `needs_person="no",reason="",state="sendable"`, 2},
		{"greenlight_numbers", `needs_person="yes",reason="campaign_rejected",state="planned"`, 1},
		{"greenlight_numbers", `needs_person="yes",reason="",state="conflict"`, 0},
		{"greenlight_campaigns", `phase="approved",planned="yes"`, 1},
		{"greenlight_campaigns", `phase="rejected",planned="yes"`, 1},
		{"greenlight_campaigns", `phase="in_review",planned="yes"`, 0},
		{"greenlight_campaign_attach_seconds", "", 1},
		{"greenlight_dead_letters", "", 1},
		{"greenlight_events_waiting", "", 0},
		{"greenlight_events_open", "", 0},
		{"greenlight_events_oldest_age_seconds", "", 0},
		{"greenlight_assigner_active", "", 1},
		{"greenlight_assigner_listening", "", 1},
		{"greenlight_assigner_held", "", 0},
		{"greenlight_assigner_breaker_open", "", 0},
		{"greenlight_assigner_resync_interval_seconds", "", 3600},
		{"greenlight_assigner_attach_requests_total", `outcome="accepted"`, 2},
		{"greenlight_build_info", fmt.Sprintf("commit=%q,date=%q,go=%q,version=%q", build.Commit, build.Date, build.Go, build.Version), 1},
		{"greenlight_plan_info", `hash="` + r.set.Set().Hash + `"`, 1},
		{"greenlight_plan_faulty", "", 0},
		{"greenlight_ready", "", 1},
		{"greenlight_notices_total", `kind="completed"`, 1},
		{"greenlight_notices_total", `kind="needs_person"`, 1},
		{"greenlight_notices_total", `kind="partial"`, 0},
		{"greenlight_notify_sends_total", `outcome="sent"`, 2},
		{"greenlight_notify_sends_total", `outcome="failed"`, 0},
		{"greenlight_check_ok", `check="assigner"`, 1},
		{"greenlight_tls_certificate_faulty", "", 0},
	} {
		r.untilValue(want.name, want.labels, want.value)
	}
	calls, waits := 0.0, 0.0
	r.until("every call has waited for the limiter", func() (bool, string) {
		calls = 0
		for _, metric := range r.families()["greenlight_telnyx_request_seconds"].GetMetric() {
			calls += float64(metric.GetHistogram().GetSampleCount())
		}
		waits, _ = r.value("greenlight_telnyx_limiter_waits_total", "")
		return calls > 0 && waits >= calls, fmt.Sprintf("%g calls, %g waits", calls, waits)
	})
	stored, _ := r.value("greenlight_webhook_events_total", `answer="accepted",type="10dlc.campaign.update"`)
	if timed, _ := r.value("greenlight_webhook_publish_seconds", ""); stored < 2 || timed < stored {
		t.Errorf("%g events about campaigns, want two at least, and %g were timed", stored, timed)
	}
	if reconciles, _ := r.value("greenlight_assigner_reconciles_total", `outcome="done"`); reconciles < 4 {
		t.Errorf("%g reconciles, want two at the start and two for events", reconciles)
	}
	age, there := r.value("greenlight_assigner_resync_age_seconds", "")
	if !there || age < 0 {
		t.Errorf("resync age %g (%t)", age, there)
	}

	// The counts follow a change without anybody asking for it.
	r.sim.DetachNumber("+15551234567")
	must(t, events.NewPublisher(r.js).Trigger(t.Context(), events.KindCampaign, goodCampaign))
	r.untilValue("greenlight_assigner_attach_requests_total", `outcome="accepted"`, 3)
	r.untilValue("greenlight_numbers", `needs_person="no",reason="",state="sendable"`, 2)
	book, err := ledger.Open(t.Context(), r.js)
	must(t, err)
	must(t, book.Hold(t.Context(), nil, ledger.HeldBy{By: "ann@ops"}))
	r.untilValue("greenlight_assigner_held", "", 1)
	must(t, book.Hold(t.Context(), []string{goodCampaign}, ledger.HeldBy{By: "ann@ops"}))
	r.untilValue("greenlight_campaigns_held", "", 1)
}

// ids finds what looks like an id or a phone number.
var ids = regexp.MustCompile(`\+?[0-9]{7,}|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-|\b[BC][0-9A-Z]{6}\b|[0-9a-fA-F]{12,}|[A-Za-z0-9_-]{30,}`)

// exempt are the labels that look like ids by design: there are as many hashes as plan
// sets in force, which is one, one commit, and as many keys as are in use.
var exempt = map[string]string{"greenlight_build_info": "commit", "greenlight_plan_info": "hash", "greenlight_webhook_verified_total": "key"}

// idLabels returns the labels that look like ids or phone numbers.
func idLabels(families map[string]*dto.MetricFamily) (found []string) {
	for name, family := range families {
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				if exempt[name] != label.GetName() && ids.MatchString(label.GetValue()) {
					found = append(found, fmt.Sprintf("%s{%s=%q}", name, label.GetName(), label.GetValue()))
				}
			}
		}
	}
	return found
}

func TestMetrics_HaveNoIDsOrNumbersAsLabels(t *testing.T) {
	t.Parallel()
	r := startFullRun(t)
	r.work()
	r.untilValue("greenlight_numbers", `needs_person="no",reason="",state="sendable"`, 2)
	families := r.families()
	if found := idLabels(families); len(found) > 0 {
		t.Errorf("labels that look like ids or numbers: %v", found)
	}
	all := fmt.Sprint(families)
	for _, id := range []string{goodCampaign, badCampaign, "15551234567", "spring-promo", "event-1"} {
		if strings.Contains(all, id) {
			t.Errorf("the metrics contain %s", id)
		}
	}
	for _, id := range []string{goodCampaign, "+15551234567", "C6X6M95", "BBRAND1", "12125550142"} {
		family := &dto.MetricFamily{Metric: []*dto.Metric{{Label: []*dto.LabelPair{{Name: new("campaign"), Value: &id}}}}}
		if len(idLabels(map[string]*dto.MetricFamily{"greenlight_x": family})) != 1 {
			t.Errorf("%s is not seen as an id, so this test shows nothing", id)
		}
	}
}

// Every metric of a process with all its parts is listed, by type and with its labels,
// and no other is.
func TestMetrics_AreListedInOperations(t *testing.T) {
	t.Parallel()
	r := startFullRun(t)
	r.work()
	r.untilValue("greenlight_numbers", `needs_person="no",reason="",state="sendable"`, 2)
	families := r.families()
	ofType := map[dto.MetricType][]string{}
	for _, name := range slices.Sorted(maps.Keys(families)) {
		labels := map[string]bool{}
		for _, metric := range families[name].GetMetric() {
			for _, label := range metric.GetLabel() {
				labels[label.GetName()] = true
			}
		}
		line := name
		if len(labels) > 0 {
			line += "{" + strings.Join(slices.Sorted(maps.Keys(labels)), ",") + "}"
		}
		ofType[families[name].GetType()] = append(ofType[families[name].GetType()], line)
	}
	var lists []string
	for _, kind := range slices.Sorted(maps.Keys(ofType)) {
		lists = append(lists, "# "+strings.ToLower(kind.String())+"s\n"+strings.Join(ofType[kind], "\n")+"\n")
	}
	pageSection(t, "../../docs/operations.md", "metrics", "```text\n"+strings.Join(lists, "\n")+"```", *update)
}

func insecure() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }

// pageSection fails the test unless the named part of the page, between
// <!-- begin name --> and <!-- end name -->, is what is wanted. With update the page is
// rewritten instead.
func pageSection(t testing.TB, path, name, want string, update bool) {
	t.Helper()
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->"
	before, rest, found := strings.Cut(string(page), begin)
	got, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no part between %q and %q", path, begin, end)
	}
	want = "\n" + strings.TrimSpace(want) + "\n\n"
	if got == want {
		return
	}
	if !update {
		t.Errorf("%s, part %s, is stale: run go test . -run '^%s$' -update in this folder\ngot:\n%s\nwant:\n%s", path, name, t.Name(), got, want)
		return
	}
	if err := os.WriteFile(path, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

package deploytest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rhysd/actionlint"
	"sigs.k8s.io/yaml"
)

const (
	githubFile = deploy + "/github/greenlight-plan.yaml"
	gitlabFile = deploy + "/gitlab/greenlight-plan.yml"
	// hostToken is the token of the code host, hostKey the API key at Telnyx.
	hostToken = "token-s3cret"
	hostKey   = "KEY0123-s3cret"
)

// workflow is what the test reads of a GitHub workflow; actionlint checks the rest.
type workflow struct {
	// YAML 1.1, which the decoder follows, reads the key on as true.
	On          map[string]struct{ Paths []string } `json:"true"`
	Permissions map[string]string
	Concurrency struct{ Group string }
	Env         map[string]string
	Jobs        map[string]struct {
		Permissions map[string]string
		Steps       []step
	}
}

type step struct {
	Name, Uses, Run, If string
	Env                 map[string]string
	With                map[string]any
}

// gitlabJob has the keywords that the job uses, see https://docs.gitlab.com/ci/yaml/.
type gitlabJob struct {
	Stage, Image string
	Rules        []struct {
		If      string
		Changes []string
	}
	Interruptible bool
	ResourceGroup string `json:"resource_group"`
	Timeout       string
	Variables     map[string]string
	BeforeScript  []string `json:"before_script"`
	Script        []string
	Artifacts     struct {
		When     string
		ExposeAs string `json:"expose_as"`
		Paths    []string
		Reports  struct{ Codequality string }
	}
}

func readWorkflow(t *testing.T) (file workflow, steps []step) {
	t.Helper()
	must(t, yaml.Unmarshal([]byte(read(t, githubFile)), &file))
	return file, file.Jobs["plan"].Steps
}

func readGitLabJob(t *testing.T) gitlabJob {
	t.Helper()
	var jobs map[string]gitlabJob
	must(t, yaml.UnmarshalStrict([]byte(read(t, gitlabFile)), &jobs))
	return jobs["greenlight-plan"]
}

func TestGitHub_LintsAndHasFewRights(t *testing.T) {
	linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{})
	must(t, err)
	faults, err := linter.LintFile(githubFile, nil)
	must(t, err)
	for _, fault := range faults {
		t.Error(fault)
	}
	file, steps := readWorkflow(t)
	if got, want := file.On["pull_request"].Paths, []string{file.Env["PLANS"] + "/**"}; len(file.On) != 1 || !slices.Equal(got, want) {
		t.Errorf("it runs on %v, want pull_request with %v", file.On, want)
	}
	if rights := file.Jobs["plan"].Permissions; len(file.Permissions) != 0 || len(rights) != 2 || rights["contents"] != "read" || rights["pull-requests"] != "write" {
		t.Errorf("rights: %v, %v", file.Permissions, rights)
	}
	if !strings.Contains(file.Concurrency.Group, "${{ github.event.pull_request.number }}") {
		t.Errorf("group %q", file.Concurrency.Group)
	}
	secrets := map[string][]string{}
	for _, s := range steps {
		if s.Uses != "" && (!regexp.MustCompile(`@[0-9a-f]{40}$`).MatchString(s.Uses) || s.With["persist-credentials"] != false) {
			t.Errorf("%s is not pinned, or leaves the token in the folder: %v", s.Uses, s.With)
		}
		if strings.Contains(s.Run, "${{") {
			t.Errorf("%s: an expression in a script could be code from outside", s.Name)
		}
		for name, value := range s.Env {
			if strings.Contains(value, "secrets.") || strings.Contains(value, "token") {
				secrets[s.Name] = append(secrets[s.Name], name)
			}
		}
	}
	if got := fmt.Sprint(secrets); got != "map[Comment:[GITHUB_TOKEN] Compare with Telnyx:[TELNYX_API_KEY]]" {
		t.Errorf("secrets are in %s", got)
	}
	if fork := "github.event.pull_request.head.repo.full_name == github.repository"; !strings.Contains(steps[len(steps)-1].If, fork) {
		t.Errorf("the comment of a fork would fail the run: %s", steps[len(steps)-1].If)
	}
}

func TestGitLab_IsWellFormed(t *testing.T) {
	job := readGitLabJob(t)
	if len(job.Rules) != 1 || job.Rules[0].If != `$CI_PIPELINE_SOURCE == "merge_request_event"` ||
		!slices.Equal(job.Rules[0].Changes, []string{job.Variables["PLANS"] + "/**/*"}) {
		t.Errorf("it runs on %+v", job.Rules)
	}
	if !job.Interruptible || !strings.Contains(job.ResourceGroup, "$CI_MERGE_REQUEST_IID") || job.Artifacts.When != "always" {
		t.Errorf("got %+v", job)
	}
	for name := range job.Variables {
		if strings.Contains(name, "KEY") || strings.Contains(name, "TOKEN") {
			t.Errorf("%s would be in the repository", name)
		}
	}
}

// comment is a comment on GitHub, and a note on GitLab.
type comment struct {
	ID   int    `json:"id"`
	Body string `json:"body"`
	User struct {
		Type string `json:"type"`
	} `json:"user"`
	Author struct {
		ID int `json:"id"`
	} `json:"author"`
}

// codeHost is the part of GitHub and GitLab that the scripts use. It keeps comments in
// memory and serves an archive.
type codeHost struct {
	mu       sync.Mutex
	comments []comment
	// writes are the requests that changed something, for example "POST 201".
	writes  []string
	archive []byte
}

// newCodeHost starts a host that has a full page of other comments. One of a person begins
// with the marker, and one is of the script for another folder of plans.
func newCodeHost(t *testing.T) (host *codeHost, address, digest string) {
	t.Helper()
	host = &codeHost{archive: anArchive(t)}
	for id := range 100 {
		c := comment{ID: id + 1, Body: "looks good"}
		c.User.Type, c.Author.ID = "User", 7
		host.comments = append(host.comments, c)
	}
	host.comments[3].Body = "<!-- greenlight plan config/plans --> of a person"
	host.comments[4].Body = "<!-- greenlight plan other/plans -->\n"
	host.comments[4].User.Type, host.comments[4].Author.ID = "Bot", 9
	mux := http.NewServeMux()
	for _, list := range []string{"/repos/acme/numbers/issues/12/comments", "/projects/5/merge_requests/12/notes"} {
		mux.HandleFunc("GET "+list, host.authorized(host.list))
		mux.HandleFunc("POST "+list, host.authorized(host.create))
	}
	mux.HandleFunc("PATCH /repos/acme/numbers/issues/comments/{id}", host.authorized(host.edit))
	mux.HandleFunc("PUT /projects/5/merge_requests/12/notes/{id}", host.authorized(host.edit))
	mux.HandleFunc("GET /user", host.authorized(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"id": 9}`) }))
	for _, releases := range []string{"/example/greenlight/releases/download", "/releases"} {
		mux.HandleFunc("GET "+releases+"/v1.2.3/greenlight_1.2.3_linux_amd64.tar.gz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(host.archive) })
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	sum := sha256.Sum256(host.archive)
	return host, server.URL, hex.EncodeToString(sum[:])
}

// anArchive is a release in the form that .goreleaser.yaml describes. Its program is a link
// to the one under test.
func anArchive(t *testing.T) []byte {
	t.Helper()
	config := read(t, root+"/.goreleaser.yaml")
	for _, said := range []string{`name_template: "{{ .ProjectName }}_{{ .Version }}_{{ .Os }}_{{ .Arch }}"`, "wrap_in_directory: true", "formats: [tar.gz]"} {
		if !strings.Contains(config, said) {
			t.Errorf(".goreleaser.yaml lacks %s, as the scripts expect", said)
		}
	}
	var archive bytes.Buffer
	compressed := gzip.NewWriter(&archive)
	files := tar.NewWriter(compressed)
	must(t, files.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "greenlight_1.2.3_linux_amd64/greenlight", Linkname: filepath.Join(bin, tool), Mode: 0o777}))
	must(t, files.Close())
	must(t, compressed.Close())
	return archive.Bytes()
}

func (h *codeHost) authorized(handle http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+hostToken && r.Header.Get("PRIVATE-TOKEN") != hostToken {
			http.Error(w, `{"message": "bad credentials"}`, http.StatusUnauthorized)
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		handle(w, r)
	}
}

func (h *codeHost) list(w http.ResponseWriter, r *http.Request) {
	size, _ := strconv.Atoi(r.URL.Query().Get("per_page"))
	page, _ := strconv.Atoi(r.URL.Query().Get("page"))
	from := min((page-1)*size, len(h.comments))
	_ = json.NewEncoder(w).Encode(h.comments[from:min(from+size, len(h.comments))])
}

func (h *codeHost) create(w http.ResponseWriter, r *http.Request) {
	c := comment{ID: 101 + len(h.writes)}
	c.User.Type, c.Author.ID = "Bot", 9
	h.write(w, r, &c)
	h.comments = append(h.comments, c)
}

func (h *codeHost) edit(w http.ResponseWriter, r *http.Request) {
	id, _ := strconv.Atoi(r.PathValue("id"))
	at := slices.IndexFunc(h.comments, func(c comment) bool { return c.ID == id })
	if at < 0 {
		http.NotFound(w, r)
		return
	}
	h.write(w, r, &h.comments[at])
}

func (h *codeHost) write(w http.ResponseWriter, r *http.Request, c *comment) {
	var given struct{ Body string }
	if err := json.NewDecoder(r.Body).Decode(&given); err != nil || given.Body == "" {
		http.Error(w, `{"message": "no body"}`, http.StatusUnprocessableEntity)
		return
	}
	c.Body = given.Body
	h.writes = append(h.writes, fmt.Sprint(r.Method, " ", c.ID))
	fmt.Fprint(w, "{}")
}

// reviewer runs the scripts for one change of the plans after the other.
type reviewer struct {
	host *codeHost
	// folder is the working copy.
	folder string
	// run runs all scripts, and returns what they print, and whether all succeeded.
	run func(t *testing.T, set map[string]string) (out string, ok bool)
}

func (r reviewer) plan(t *testing.T, text string) {
	t.Helper()
	must(t, os.MkdirAll(r.folder+"/config/plans", 0o755))
	must(t, os.WriteFile(r.folder+"/config/plans/spring.yaml", []byte(text), 0o644))
}

// last returns the comment, and fails unless it is the only one and was written as wanted.
func (r reviewer) last(t *testing.T, writes ...string) string {
	t.Helper()
	if !slices.Equal(r.host.writes, writes) {
		t.Fatalf("comments: got %q, want %q", r.host.writes, writes)
	}
	body := r.host.comments[len(r.host.comments)-1].Body
	if len(r.host.comments) != 101 || !strings.HasPrefix(body, "<!-- greenlight plan config/plans -->\n") {
		t.Errorf("%d comments, the last is\n%s", len(r.host.comments), body)
	}
	return body
}

// review changes the plans step by step. There is one comment, which is always up to date.
func review(t *testing.T, r reviewer) {
	simulated := root + "/config/plan.example.yaml"
	api := free(t)
	start(t, "simulator", nil, tool, "simulator", "--addr", api, "--from", simulated, "--webhook-url", "none", "--review", "1ms")
	poll(t, "the campaign is approved", func() error {
		answer, err := http.Get("http://" + api + "/simulator")
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if state, err := io.ReadAll(answer.Body); err != nil || !bytes.Contains(state, []byte("MNO_PROVISIONED")) {
			return fmt.Errorf("%w: %s", err, state)
		}
		return nil
	})
	telnyx := map[string]string{"TELNYX_API_KEY": hostKey, "TELNYX_BASE_URL": "http://" + api + "/v2", "TELNYX_RATE": "1000"}
	example := read(t, simulated)
	var all string // what was printed and written
	run := func(set map[string]string, want bool) string {
		t.Helper()
		out, ok := r.run(t, set)
		if ok != want {
			t.Fatalf("succeeded: %t, want %t\n%s", ok, want, out)
		}
		all += out
		return out
	}

	r.plan(t, example)
	run(telnyx, true)
	body := r.last(t, "POST 101")
	for _, want := range []string{"5 to attach", "| `+` | `+15551234567` | attach |", "#### Preflight\n\n    "} {
		if !strings.Contains(body, want) {
			t.Errorf("the comment lacks %q:\n%s", want, body)
		}
	}
	r.plan(t, strings.Replace(example, "      - +15551234568\n", "", 1))
	run(telnyx, true)
	if body = r.last(t, "POST 101", "PATCH 101"); !strings.Contains(body, "4 to attach") || strings.Contains(body, "+15551234568") {
		t.Errorf("the comment is not up to date:\n%s", body)
	}
	all += body

	r.plan(t, strings.Replace(example, "+15551234568", "5551234568", 1))
	out := run(telnyx, false)
	if body = r.last(t, "POST 101", "PATCH 101", "PATCH 101"); !strings.Contains(body, "`config/plans/spring.yaml:") || !strings.Contains(body, "has no country code") {
		t.Errorf("the comment lacks the fault:\n%s", body)
	}
	if !strings.Contains(out, "has no country code") {
		t.Errorf("the log lacks the fault:\n%s", out)
	}
	faulty := read(t, r.folder+"/annotations")
	if !strings.Contains(faulty, "config/plans/spring.yaml") {
		t.Errorf("no annotation: %s", faulty)
	}

	r.plan(t, example)
	run(map[string]string{"TELNYX_API_KEY": ""}, true) // as a secret that is not there
	if body = r.last(t, "POST 101", "PATCH 101", "PATCH 101", "PATCH 101"); !strings.Contains(body, "The plans are valid. They were not compared with Telnyx") {
		t.Errorf("without a key:\n%s", body)
	}
	telnyx["TELNYX_BASE_URL"] = "http://" + free(t) + "/v2"
	out = run(telnyx, false)
	if body = r.last(t, "POST 101", "PATCH 101", "PATCH 101", "PATCH 101", "PATCH 101"); !strings.Contains(body, "Not everything could be compared") || !strings.Contains(out, "Telnyx did not answer") {
		t.Errorf("Telnyx does not answer:\n%s\n%s", body, out)
	}
	if all += body; strings.Contains(all, "s3cret") {
		t.Errorf("a secret is in\n%s", all)
	}
}

// needs skips the test on machines without a program that the runners have, unless
// GREENLIGHT_PROGRAMS is set.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, program := range programs {
		_, err := exec.LookPath(program)
		if err != nil && os.Getenv("GREENLIGHT_PROGRAMS") != "" {
			t.Fatal(err)
		}
		if err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
}

// script runs a script in a folder. Only the given variables, and what a runner has, are set.
func script(t *testing.T, folder, path string, set map[string]string, shell ...string) (out string, err error) {
	t.Helper()
	command := exec.Command(shell[0], shell[1:]...)
	command.Dir = folder
	command.Env = []string{"PATH=" + path, "HOME=" + folder}
	for name, value := range set {
		command.Env = append(command.Env, name+"="+value)
	}
	said, err := command.CombinedOutput()
	return string(said), err
}

// The scripts of the workflow, run as a runner does, keep one comment up to date.
func TestGitHub_KeepsOneComment(t *testing.T) {
	t.Parallel()
	needs(t, "bash", "curl", "jq")
	file, steps := readWorkflow(t)
	host, address, digest := newCodeHost(t)
	r := reviewer{host: host, folder: t.TempDir()}
	temp, path, summary := t.TempDir(), os.Getenv("PATH"), t.TempDir()+"/summary"
	expressions := map[string]string{"${{ github.token }}": hostToken, "${{ github.event.pull_request.number }}": "12"}
	r.run = func(t *testing.T, given map[string]string) (all string, ok bool) {
		ok = true
		must(t, os.RemoveAll(summary))
		for _, s := range steps {
			if s.Run == "" {
				continue
			}
			set := map[string]string{
				"GITHUB_API_URL": address, "GITHUB_SERVER_URL": address, "GITHUB_REPOSITORY": "acme/numbers", "GITHUB_RUN_ID": "34",
				"GITHUB_PATH": temp + "/path", "GITHUB_STEP_SUMMARY": summary, "RUNNER_TEMP": temp,
				"TELNYX_BASE_URL": given["TELNYX_BASE_URL"], "TELNYX_RATE": given["TELNYX_RATE"],
			}
			for name, value := range file.Env {
				set[name] = value
			}
			set["GREENLIGHT_SHA256"] = digest
			expressions["${{ secrets.TELNYX_API_KEY }}"] = given["TELNYX_API_KEY"]
			for name, value := range s.Env {
				known, there := expressions[value]
				if !there {
					t.Fatalf("%s: %s is %s, which this test does not know", s.Name, name, value)
				}
				set[name] = known
			}
			for name, value := range set {
				if value == "" && name != "TELNYX_API_KEY" {
					delete(set, name)
				}
			}
			must(t, os.WriteFile(temp+"/step.sh", []byte(s.Run), 0o600))
			out, err := script(t, r.folder, path, set, "bash", "--noprofile", "--norc", "-eo", "pipefail", temp+"/step.sh")
			all += out
			switch s.Name {
			case "Install Greenlight":
				if err != nil { // all others need it
					t.Fatalf("%v\n%s", err, out)
				}
				path = strings.TrimSpace(read(t, temp+"/path")) + ":" + os.Getenv("PATH")
				must(t, os.Remove(temp+"/path"))
			case "Validate":
				annotations := regexp.MustCompile(`(?m)^::error file=.*$`).FindAllString(out, -1)
				must(t, os.WriteFile(r.folder+"/annotations", []byte(strings.Join(annotations, "\n")), 0o600))
			case "Comment":
				if body := read(t, temp+"/greenlight-plan.md"); read(t, summary) != body {
					t.Errorf("the summary is not\n%s", body)
				}
			}
			ok = ok && err == nil
		}
		return all, ok
	}
	review(t, r)

	t.Run("a long comment is cut", func(t *testing.T) {
		must(t, os.WriteFile(temp+"/greenlight-plan.md", []byte(strings.Repeat("| a number | `in` a table |\n", 10000)), 0o600))
		last := steps[len(steps)-1]
		must(t, os.WriteFile(temp+"/step.sh", []byte(last.Run), 0o600))
		out, err := script(t, r.folder, path, map[string]string{
			"GITHUB_API_URL": address, "GITHUB_SERVER_URL": address, "GITHUB_REPOSITORY": "acme/numbers", "GITHUB_RUN_ID": "34", "RUNNER_TEMP": temp,
			"GITHUB_TOKEN": hostToken, "PULL_REQUEST": "12", "PLANS": file.Env["PLANS"],
		}, "bash", "--noprofile", "--norc", "-eo", "pipefail", temp+"/step.sh")
		body := host.comments[len(host.comments)-1].Body
		if err != nil || len(body) > 65536 || len(body) < 55000 || !strings.Contains(body, "table |\n\nThe rest is in the summary of the run.\n") {
			t.Errorf("%v, %s, %d bytes ending in %s", err, out, len(body), body[max(0, len(body)-200):])
		}
	})
}

// So do those of GitLab.
func TestGitLab_KeepsOneNote(t *testing.T) {
	t.Parallel()
	needs(t, "curl", "jq")
	job := readGitLabJob(t)
	host, address, digest := newCodeHost(t)
	r := reviewer{host: host, folder: t.TempDir()}
	if got := job.BeforeScript; !slices.Equal(got, []string{"apk add --no-cache curl jq"}) {
		t.Errorf("before the script: %q", got)
	}
	token := hostToken
	r.run = func(t *testing.T, given map[string]string) (string, bool) {
		set := map[string]string{
			"CI_API_V4_URL": address, "CI_PROJECT_ID": "5", "CI_MERGE_REQUEST_IID": "12", "CI_JOB_URL": address + "/job",
			"GREENLIGHT_NOTE_TOKEN": token,
		}
		for _, all := range []map[string]string{job.Variables, given} {
			for name, value := range all {
				set[name] = value
			}
		}
		set["GREENLIGHT_RELEASES"], set["GREENLIGHT_SHA256"] = address+"/releases", digest
		out, err := script(t, r.folder, os.Getenv("PATH"), set, "sh", "-e", "-c", strings.Join(job.Script, "\n"))
		must(t, os.WriteFile(r.folder+"/annotations", []byte(read(t, r.folder+"/"+job.Artifacts.Reports.Codequality)), 0o600))
		checkCodeQuality(t, r.folder+"/annotations")
		for i, write := range host.writes {
			host.writes[i] = strings.Replace(write, "PUT", "PATCH", 1)
		}
		return out, err == nil
	}
	review(t, r)

	t.Run("without a token for notes", func(t *testing.T) {
		before := len(host.writes)
		token = ""
		out, ok := r.run(t, nil)
		if !ok || len(host.writes) != before || !strings.Contains(out, "There is no GREENLIGHT_NOTE_TOKEN") {
			t.Errorf("succeeded: %t, %d notes\n%s", ok, len(host.writes)-before, out)
		}
		if body := read(t, r.folder+"/"+job.Artifacts.Paths[0]); !strings.Contains(body, "The plans are valid") {
			t.Errorf("the artifact is\n%s", body)
		}
	})
}

// checkCodeQuality fails for a report that GitLab would not read, see
// https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format.
func checkCodeQuality(t *testing.T, path string) {
	t.Helper()
	var findings []struct {
		Description, Fingerprint, Severity string
		CheckName                          string `json:"check_name"`
		Location                           struct {
			Path  string
			Lines struct{ Begin int }
		}
	}
	decoder := json.NewDecoder(strings.NewReader(read(t, path)))
	decoder.DisallowUnknownFields()
	must(t, decoder.Decode(&findings))
	seen := map[string]bool{}
	for _, f := range findings {
		if f.Description == "" || f.CheckName == "" || f.Fingerprint == "" || seen[f.Fingerprint] || f.Severity != "major" && f.Severity != "minor" ||
			f.Location.Path == "" || f.Location.Lines.Begin == 0 {
			t.Errorf("a finding without all fields: %+v", f)
		}
		seen[f.Fingerprint] = true
	}
}

package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// errNoMonitor says that there is nobody to ask.
var errNoMonitor = errors.New("NATS tells it at its monitoring address alone")

// Writes judges whether the server can still write its streams. Trouble is what the
// server says is wrong, empty if nothing is; err is why it could not be asked.
//
// After an error on the disk a server stores nothing more in the stream that it met
// it at, until it is started anew, and does not say so to those who publish.
func Writes(trouble string, err error) Finding {
	f := Finding{Check: CheckWrites, Level: OK, Facts: map[string]any{}}
	switch {
	case err != nil:
		f.Level = Unknown
		f.Says = "Whether the server met an error when it wrote, after which it stores nothing more until it is restarted, is unknown: " + sentenceEnd(err.Error())
		f.Fix = "Name the server's monitoring address with --nats-monitor http://HOST:8222, or look there yourself, at /healthz."
	case trouble != "":
		f.Level = Fail
		f.Facts["trouble"] = trouble
		f.Says = "The server says that it is not well: " + sentenceEnd(trouble) + " While it cannot write stream EVENTS, every event is answered 503."
		f.Fix = "Make room on the server's disk, or mend it, and then restart the server: only greenlight up goes on by itself, when its disk was full and has room again. What was answered 200 is kept."
	default:
		f.Says = "The server met no error when it wrote."
	}
	return f
}

// findWrites asks servers at their monitoring addresses whether they are well.
func findWrites(ctx context.Context, client *http.Client, monitors []string) (trouble string, err error) {
	if len(monitors) == 0 {
		return "", errNoMonitor
	}
	var troubles, errs []string
	for _, address := range monitors {
		told, err := readHealth(ctx, client, address)
		if err != nil {
			errs = append(errs, strings.TrimRight(err.Error(), "."))
		} else if told != "" {
			troubles = append(troubles, fmt.Sprintf("%s: %.500s", redact(address), strings.TrimRight(told, ".")))
		}
	}
	if len(troubles) > 0 {
		return strings.Join(troubles, "; "), nil
	}
	if len(errs) > 0 {
		return "", errors.New(strings.Join(errs, "; "))
	}
	return "", nil
}

// readHealth reads /healthz at a monitoring address (https://docs.nats.io,
// monitoring). It is empty when all is well.
func readHealth(ctx context.Context, client *http.Client, address string) (trouble string, err error) {
	ctx, cancel := context.WithTimeout(ctx, monitorTimeout)
	defer cancel()
	shown := redact(address)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(address, "/")+"/healthz", nil)
	if err != nil {
		return "", fmt.Errorf("%s is not a URL", shown)
	}
	response, err := client.Do(request)
	if err != nil {
		return "", fmt.Errorf("%s did not answer: %w", shown, errors.Unwrap(err))
	}
	defer response.Body.Close()
	var health struct{ Status, Error string }
	if err := json.NewDecoder(io.LimitReader(response.Body, maxVarz)).Decode(&health); err != nil || health.Status == "" {
		return "", fmt.Errorf("%s answered no /healthz (%s)", shown, response.Status)
	}
	if response.StatusCode == http.StatusOK && health.Error == "" {
		return "", nil
	}
	if health.Error == "" {
		return health.Status, nil
	}
	return health.Error, nil
}

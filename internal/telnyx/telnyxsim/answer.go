package telnyxsim

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
)

// answer is what an operation says; it is written to the connection only after
// faults had their chance to spoil it.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// apiError is one entry of the errors array. Its code is a string. The meta that
// some of Telnyx's errors carry is left out: the 10DLC ones do not have it.
type apiError struct {
	Code   string       `json:"code"`
	Title  string       `json:"title"`
	Detail string       `json:"detail,omitempty"`
	Source *errorSource `json:"source,omitempty"`
}

type errorSource struct {
	Pointer string `json:"pointer"`
}

// The error codes that the simulator gives, as
// https://developers.telnyx.com/development/api-fundamentals/api-errors has them.
const (
	codeMissingParameter = "10004"
	codeNotFound         = "10005"
	codeUnauthorized     = "10009"
	codeRateLimited      = "10011"
	codeDuplicate        = "10012"
	codeBadParameter     = "10015"
	codeNotE164          = "10016"
	codeBeingProcessed   = "10036"
)

// ok is 200 with a JSON body.
func ok(value any) answer {
	return jsonAnswer(http.StatusOK, value)
}

// refuse is an error answer in the v2 shape. An empty pointer is left out.
func refuse(status int, code, title, detail, pointer string) answer {
	told := apiError{Code: code, Title: title, Detail: detail}
	if pointer != "" {
		told.Source = &errorSource{pointer}
	}
	return jsonAnswer(status, struct {
		Errors []apiError `json:"errors"`
	}{[]apiError{told}})
}

// notFound is the answer for a path that names what the account does not have.
func notFound(detail string) answer { return notFoundAt(detail, "") }

// notFoundAt is the answer for a body that names such a thing in the field to which
// the pointer leads.
func notFoundAt(detail, pointer string) answer {
	return refuse(http.StatusNotFound, codeNotFound, "Resource not found", detail, pointer)
}

// unreadableBody is the answer for a body that is no JSON.
func unreadableBody() answer { return badParameter("The body is not valid JSON", "") }

// missingQuery is the 422 of the campaign and brand operations, whose shape is
// that of a Python framework.
func missingQuery(name string) answer {
	type problem struct {
		Loc  []string `json:"loc"`
		Msg  string   `json:"msg"`
		Type string   `json:"type"`
	}
	return jsonAnswer(http.StatusUnprocessableEntity, struct {
		Detail []problem `json:"detail"`
	}{[]problem{{[]string{"query", name}, "field required", "value_error.missing"}}})
}

func jsonAnswer(status int, value any) answer {
	return answer{
		status: status,
		header: http.Header{"Content-Type": {"application/json; charset=utf-8"}},
		body:   encode(value, ""),
	}
}

// write sends the answer.
func (a answer) write(w http.ResponseWriter) {
	a.writeHeader(w)
	_, _ = w.Write(a.body) // a client that is gone has no use for it
}

func (a answer) writeHeader(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
}

// encode renders a value of the simulator's own types, which always works.
func encode(value any, indent string) []byte {
	rendered, err := tryEncode(value, indent)
	if err != nil {
		panic("telnyxsim: " + err.Error())
	}
	return rendered
}

// tryEncode renders any value. HTML characters stay as they are, as on the wire.
func tryEncode(value any, indent string) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", indent)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n")), nil
}

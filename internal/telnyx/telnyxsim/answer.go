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
	// problem is what an error answer says, for the dialect to put in its own words,
	// and kind why an assignment is refused. Nil and empty for other answers.
	problem *apiError
	kind    RefusalKind
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
	codeInactiveNumber   = "10001"
	codeUnauthorized     = "10009"
	codeForbidden        = "10010"
	codeRateLimited      = "10011"
	codeDuplicate        = "10012"
	codeBadParameter     = "10015"
	codeNotE164          = "10016"
	codeBeingProcessed   = "10036"
	codeUnavailable      = "10037"
)

// ok is 200 with a JSON body.
func ok(value any) answer {
	return jsonAnswer(http.StatusOK, value)
}

// refuse is an error answer in the v2 shape. An empty pointer is left out.
func refuse(status int, code, title, detail, pointer string) answer {
	problem := apiError{Code: code, Title: title, Detail: detail}
	if pointer != "" {
		problem.Source = &errorSource{pointer}
	}
	return problem.in(status, "", false)
}

// as says why the answer refuses an assignment.
func (a answer) as(kind RefusalKind) answer {
	a.kind = kind
	return a
}

// in is the error as an answer in a shape.
func (e apiError) in(status int, shape ErrorShape, numericCode bool) answer {
	var a answer
	switch shape {
	case ErrorDetail:
		a = jsonAnswer(status, map[string]string{"detail": orDefault(e.Detail, e.Title)})
	case ErrorDetails:
		a = jsonAnswer(status, details("body", "campaignId", orDefault(e.Detail, e.Title), "value_error"))
	case ErrorMessage:
		a = jsonAnswer(status, map[string]string{"message": orDefault(e.Detail, e.Title)})
	case ErrorHTML:
		a = rawAnswer(status, "text/html", "<html><head><title>"+http.StatusText(status)+"</title></head></html>\n")
	case ErrorEmpty:
		a = rawAnswer(status, "text/plain", "")
	default:
		a = jsonAnswer(status, map[string]any{"errors": []any{e.entry(shape, numericCode)}})
	}
	a.problem = &e
	return a
}

// entry is one entry of the errors array.
func (e apiError) entry(shape ErrorShape, numericCode bool) any {
	if shape != ErrorNoCode && !numericCode {
		return e
	}
	fields := fieldsOf(e)
	if fields["code"] = json.Number(e.Code); shape == ErrorNoCode {
		delete(fields, "code")
	}
	return fields
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
	return jsonAnswer(http.StatusUnprocessableEntity, details("query", name, "field required", "value_error.missing"))
}

// details is the body of that shape.
func details(where, name, message, kind string) any {
	type problem struct {
		Loc  []string `json:"loc"`
		Msg  string   `json:"msg"`
		Type string   `json:"type"`
	}
	return struct {
		Detail []problem `json:"detail"`
	}{[]problem{{[]string{where, name}, message, kind}}}
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

package telnyxsim

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
)

// answer is the answer of an operation. It is written to the connection after faults
// could spoil it.
type answer struct {
	status int
	header http.Header
	body   []byte
	// problem is the content of an error answer, which the dialect may rewrite, and kind is
	// why an assignment is refused. They are nil and empty for other answers.
	problem *apiError
	kind    RefusalKind
}

// object is a JSON object.
type object = map[string]any

// apiError is one entry of the errors array. The meta that some of Telnyx's errors have
// is left out, because the 10DLC ones do not have it.
type apiError struct{ code, title, detail, pointer string }

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
	return apiError{code, title, detail, pointer}.in(status, "", false)
}

// as sets why the answer refuses an assignment.
func (a answer) as(kind RefusalKind) answer {
	a.kind = kind
	return a
}

// in is the error as an answer in a shape.
func (e apiError) in(status int, shape ErrorShape, numericCode bool) answer {
	var a answer
	switch shape {
	case ErrorDetail:
		a = jsonAnswer(status, object{"detail": orDefault(e.detail, e.title)})
	case ErrorDetails:
		a = jsonAnswer(status, details("body", "campaignId", orDefault(e.detail, e.title), "value_error"))
	case ErrorMessage:
		a = jsonAnswer(status, object{"message": orDefault(e.detail, e.title)})
	case ErrorHTML:
		a = rawAnswer(status, "text/html", "<html><head><title>"+http.StatusText(status)+"</title></head></html>\n")
	case ErrorEmpty:
		a = rawAnswer(status, "text/plain", "")
	default:
		a = jsonAnswer(status, object{"errors": []object{e.entry(shape, numericCode)}})
	}
	a.problem = &e
	return a
}

// entry is the error as an entry of the errors array.
func (e apiError) entry(shape ErrorShape, numericCode bool) object {
	entry := object{"title": e.title}
	switch {
	case shape == ErrorNoCode:
	case numericCode:
		entry["code"] = json.Number(e.code)
	default:
		entry["code"] = e.code
	}
	if e.detail != "" {
		entry["detail"] = e.detail
	}
	if e.pointer != "" {
		entry["source"] = object{"pointer": e.pointer}
	}
	return entry
}

// notFound is the answer for a path that names an unknown object.
func notFound(detail string) answer { return notFoundAt(detail, "") }

// notFoundAt is the answer for a body that names an unknown object in the field at the
// pointer.
func notFoundAt(detail, pointer string) answer {
	return refuse(http.StatusNotFound, codeNotFound, "Resource not found", detail, pointer)
}

// unreadableBody is the answer for a body that is not JSON.
func unreadableBody() answer { return badParameter("The body is not valid JSON", "") }

// missingQuery is the 422 of the campaign and brand operations, which has the shape of a
// Python framework.
func missingQuery(name string) answer {
	return jsonAnswer(http.StatusUnprocessableEntity, details("query", name, "field required", "value_error.missing"))
}

// details returns a body of that shape.
func details(where, name, message, kind string) object {
	return object{"detail": []object{{"loc": []string{where, name}, "msg": message, "type": kind}}}
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
	_, _ = w.Write(a.body) // it fails only if the client has disconnected
}

func (a answer) writeHeader(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
}

// encode renders a value that can always be encoded as JSON.
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

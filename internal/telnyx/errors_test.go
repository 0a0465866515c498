package telnyx

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAPIError_ReadsEveryShape(t *testing.T) {
	long := strings.Repeat("long ", 1000)
	tests := map[string]struct {
		body string
		want []ErrorDetail
		text string // of Body
	}{
		"v2": {
			`{"errors":[{"code":"10016","title":"Phone number must be in +E.164 format","detail":"The specified one is not.",` +
				`"source":{"pointer":"/phoneNumber"},"meta":{"url":"https://x"}}]}`,
			[]ErrorDetail{{"10016", "Phone number must be in +E.164 format", "The specified one is not.", "/phoneNumber"}}, "{\"errors\"",
		},
		"code a number":    {`{"errors":[{"code":10036,"title":"Resource is being processed"}]}`, []ErrorDetail{{Code: "10036", Title: "Resource is being processed"}}, ""},
		"parameter":        {`{"errors":[{"code":"1","title":"t","source":{"parameter":"page"}}]}`, []ErrorDetail{{Code: "1", Title: "t", Source: "page"}}, ""},
		"two":              {`{"errors":[{"code":"1","title":"a"},{"code":"2","title":"b"}]}`, []ErrorDetail{{Code: "1", Title: "a"}, {Code: "2", Title: "b"}}, ""},
		"one, bare":        {`{"errors":{"code":"1","title":"a"}}`, []ErrorDetail{{Code: "1", Title: "a"}}, ""},
		"a string":         {`{"errors":"longcode is taken"}`, []ErrorDetail{{Title: "longcode is taken"}}, ""},
		"strings":          {`{"errors":["a",null,"b"]}`, []ErrorDetail{{Title: "a"}, {Title: "b"}}, ""},
		"odd code":         {`{"errors":[{"code":{"x":1},"title":7}]}`, []ErrorDetail{{}}, ""},
		"validation":       {`{"detail":[{"loc":["body","phoneNumber",0],"msg":"field required","type":"value_error.missing"}]}`, []ErrorDetail{{Title: "field required", Detail: "value_error.missing", Source: "body.phoneNumber.0"}}, ""},
		"validation, text": {`{"detail":"Not Found"}`, []ErrorDetail{{Title: "Not Found"}}, ""},
		"bulk":             {`{"message":"Task failed"}`, []ErrorDetail{{Title: "Task failed"}}, ""},
		"null errors":      {`{"errors":null,"message":"m"}`, []ErrorDetail{{Title: "m"}}, ""},
		"no errors":        {`{"errors":[]}`, nil, ""},
		"HTML":             {"<html>\n<head><style>p{}</style><title>502 Bad Gateway</title></head>\n<body><h1>nginx</h1></body>", nil, "502 Bad Gateway nginx"},
		"empty":            {"", nil, ""},
		"no UTF-8":         {"\xff\x00\x1b[31m", nil, "\uFFFD [31m"},
		"cut off":          {`{"errors":[{"code":"10`, nil, `{"errors":[{"code":"10`},
		"long": {
			`{"errors":[{"code":"1","title":"` + long + `"}]}`,
			[]ErrorDetail{{Code: "1", Title: oneLine(long, 300)}}, "",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e := newAPIError(request{method: "POST", route: "/x"}, 400, nil, []byte(tt.body), time.Now())
			if diff := cmp.Diff(tt.want, e.Errors); diff != "" {
				t.Errorf("details (-want +got):\n%s", diff)
			}
			if !strings.HasPrefix(e.Body, tt.text) || len(e.Body) > 300 {
				t.Errorf("body %q, want %q", e.Body, tt.text)
			}
		})
	}
}

func TestAPIError_KeepsTenDetails(t *testing.T) {
	body := `{"errors":[` + strings.Repeat(`{"code":"1"},`, 1000) + `{"code":"2"}]}`
	if got := len(errorDetails([]byte(body))); got != 10 {
		t.Errorf("kept %d details, want 10", got)
	}
}

func TestAPIError_TellsAllThatHelps(t *testing.T) {
	tests := map[string]struct {
		err  *APIError
		want string
	}{
		"details": {
			&APIError{Method: "POST", Route: "/10dlc/phone_number_campaigns", Status: 422, RequestID: "r-1", Errors: []ErrorDetail{
				{Code: "10016", Title: "Bad number", Detail: "It has no plus.", Source: "phoneNumber"}, {Title: "b", Detail: "b"},
			}},
			"POST /10dlc/phone_number_campaigns: 422 Unprocessable Entity: 10016 Bad number: It has no plus. (phoneNumber): b; request id r-1",
		},
		"page":    {&APIError{Method: "GET", Route: "/x", Status: 502, Body: "nginx"}, `GET /x: 502 Bad Gateway: "nginx"`},
		"nothing": {&APIError{Method: "GET", Route: "/x", Status: 599}, "GET /x: 599 (unknown status)"},
		"wait":    {&APIError{Method: "GET", Route: "/x", Status: 429, RetryAfter: 7 * time.Second}, "GET /x: 429 Too Many Requests; retry after 7s"},
	}
	for name, tt := range tests {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func TestIsNotFound_IsTheRecordsAbsenceOnly(t *testing.T) {
	coded := func(code string) []ErrorDetail { return []ErrorDetail{{Code: code}} }
	tests := map[string]struct {
		err  error
		want bool
	}{
		"nil":                  {nil, false},
		"other error":          {io.EOF, false},
		"404 with 10005":       {&APIError{Status: 404, Errors: coded("10005"), Body: "{}"}, true},
		"wrapped":              {fmt.Errorf("read: %w", &APIError{Status: 404, Errors: coded("10005"), Body: "{}"}), true},
		"404 with other code":  {&APIError{Status: 404, Errors: coded("40400"), Body: "{}"}, true},
		"route not known":      {&APIError{Status: 404, Errors: coded("10005"), routeUnknown: true}, false},
		"404 without a body":   {&APIError{Status: 404}, false},
		"422 with 10005":       {&APIError{Status: 422, Errors: coded("10005"), Body: "{}"}, true},
		"404 of a gateway":     {&APIError{Status: 404, Body: "nginx"}, false},
		"404 of a wrong path":  {&APIError{Status: 404, Errors: []ErrorDetail{{Title: "Not Found"}}, Body: "{}"}, false},
		"404, being processed": {&APIError{Status: 404, Errors: coded("10036"), Body: "{}"}, false},
		"400":                  {&APIError{Status: 400, Errors: coded("10015"), Body: "{}"}, false},
	}
	for name, tt := range tests {
		if got := IsNotFound(tt.err); got != tt.want {
			t.Errorf("%s: IsNotFound(%v) = %v, want %v", name, tt.err, got, tt.want)
		}
	}
}

func TestEffectUnknown_IsForWritesWithoutAWord(t *testing.T) {
	tests := map[string]struct {
		err  error
		want bool
	}{
		"POST, no answer":  {&ConnectionError{Method: http.MethodPost, Err: io.EOF}, true},
		"POST, unreadable": {fmt.Errorf("assign: %w", &UnreadableError{Method: http.MethodPost, Err: io.EOF}), true},
		"PUT, 502":         {&APIError{Method: http.MethodPut, Status: 502}, true},
		"POST, 408":        {&APIError{Method: http.MethodPost, Status: 408}, true},
		"POST, 422":        {&APIError{Method: http.MethodPost, Status: 422}, false},
		"POST, 429":        {&APIError{Method: http.MethodPost, Status: 429}, false},
		"GET, no answer":   {&ConnectionError{Method: http.MethodGet, Err: io.EOF}, false},
		"GET, unreadable":  {&UnreadableError{Method: http.MethodGet, Err: io.EOF}, false},
		"GET, 502":         {&APIError{Method: http.MethodGet, Status: 502}, false},
		"not sent":         {ErrInvalidArgument, false},
		"nil":              {nil, false},
	}
	for name, tt := range tests {
		if got := EffectUnknown(tt.err); got != tt.want {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}

package telnyx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestClassify_HasAClassForEveryError(t *testing.T) {
	answer := func(status int, code, detail string) error {
		return fmt.Errorf("assign: %w", &APIError{Status: status, Errors: []ErrorDetail{{Code: code, Detail: detail}}})
	}
	for name, tt := range map[string]struct {
		err  error
		want ErrorClass
	}{
		"nil":              {nil, ""},
		"invalid argument": {fmt.Errorf("x: %w", ErrInvalidArgument), ClassInvalid},
		"no answer":        {&ConnectionError{Err: io.EOF}, ClassTransient},
		"unreadable":       {&UnreadableError{Err: io.EOF}, ClassTransient},
		"cancelled":        {context.Canceled, ClassTransient},
		"deadline":         {fmt.Errorf("x: %w", context.DeadlineExceeded), ClassTransient},
		"another error":    {errors.New("x"), ClassTransient},
		"408":              {answer(408, "", ""), ClassTransient},
		"425":              {answer(425, "", ""), ClassTransient},
		"429":              {answer(429, "10011", "Rate limit exceeded"), ClassTransient},
		"500":              {answer(500, "10021", ""), ClassTransient},
		"400, unexpected":  {answer(400, "10007", ""), ClassTransient},
		"401":              {answer(401, "", ""), ClassUnauthorized},
		"400 with 10009":   {answer(400, "10009", ""), ClassUnauthorized},
		"403":              {answer(403, "", ""), ClassForbidden},
		"403 with 10010":   {answer(403, "10010", "Authorization failed"), ClassForbidden},
		"403 with words":   {answer(403, "", "already associated with another campaign"), ClassRefused},
		"403, funds":       {answer(403, CodeInsufficientFunds, ""), ClassAccount},
		"402, blocked":     {answer(402, "20013", ""), ClassAccount},
		"422, feature":     {answer(422, "10039", "Limit exceeded"), ClassAccount},
		"10036":            {answer(422, "10036", ""), ClassBusy},
		"404 with 10017":   {answer(404, "10017", ""), ClassBusy},
		"not deployed":     {answer(400, "10015", "Campaign is not Deployed."), ClassRefused},
		"daily quota":      {answer(400, "", "Daily quota exceeded"), ClassRefused},
		"full":             {answer(400, "10021", "Limit exceeded"), ClassRefused},
		"another campaign": {answer(409, "", "assigned to another campaign"), ClassRefused},
		"404":              {answer(404, CodeNotFound, ""), ClassRefused},
		"422":              {answer(422, "10027", ""), ClassRefused},
		"301":              {answer(301, "", ""), ClassRefused},
	} {
		if got := Classify(tt.err); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

// Telnyx's error pages list these codes for an account that may not act, whatever the status.
func TestClassify_KnowsEveryCodeOfARefusedAccount(t *testing.T) {
	for _, code := range []string{"10038", "10039", "20012", "20013", "20014", "20015", "20016", "20017", "20100"} {
		for _, status := range []int{400, 402, 403, 422} {
			err := &APIError{Status: status, Errors: []ErrorDetail{{Code: code}}}
			if got := Classify(err); got != ClassAccount {
				t.Errorf("%d with code %s: got %q, want %q", status, code, got, ClassAccount)
			}
		}
	}
}

func TestCheckKey_NamesNoNumberAndNoCampaign(t *testing.T) {
	c, s := newServer(t, ok(`{"records":[{"brandId":"b"}],"totalRecords":9}`), answer{status: 403})
	if err := c.CheckKey(t.Context()); err != nil {
		t.Error(err)
	}
	if err := c.CheckKey(t.Context()); Classify(err) != ClassForbidden {
		t.Errorf("got %v, want the 403", err)
	}
	want := sent{Method: "GET", Path: "/v2/10dlc/brand", Query: "recordsPerPage=1"}
	other := sent{Method: "GET", Path: "/v2/phone_numbers/messaging", Query: "page%5Bsize%5D=1"}
	assertSent(t, s, want, want, other)
}

// A key that may not list brands and may list numbers is not refused.
func TestCheckKey_AsksTwiceAboutA403(t *testing.T) {
	c, _ := newServer(t, answer{status: 403}, ok(`{"data":[],"meta":{}}`))
	if err := c.CheckKey(t.Context()); err != nil {
		t.Error(err)
	}
}

package telnyx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
)

func TestJudge_FollowsItsTable(t *testing.T) {
	answer := func(status int, codes ...string) error {
		e := &APIError{Method: http.MethodPost, Route: assignmentsRoute, Status: status}
		for _, code := range codes {
			e.Errors = append(e.Errors, ErrorDetail{Code: code})
		}
		return fmt.Errorf("assign: %w", e)
	}
	tests := map[string]struct {
		err  error
		want Verdict
	}{
		"nil":               {nil, Unclear},
		"any other error":   {errors.New("disk full"), Unclear},
		"invalid argument":  {fmt.Errorf("read: %w", ErrInvalidArgument), ForGood},
		"no answer":         {fmt.Errorf("read: %w", &ConnectionError{Err: io.EOF}), Later},
		"no answer in time": {&ConnectionError{Err: context.DeadlineExceeded}, Later},
		"unreadable":        {fmt.Errorf("read: %w", &UnreadableError{Status: 200, Err: io.ErrUnexpectedEOF}), Later},
		"cancelled":         {fmt.Errorf("wait: %w", context.Canceled), Later},
		"deadline":          {context.DeadlineExceeded, Later},

		"400 bare": {answer(400), Unclear},
		"401":      {answer(401), StopEverything},
		"402 bare": {answer(402), Unclear},
		"403":      {answer(403), StopEverything},
		"404 bare": {answer(404), Unclear},
		"405":      {answer(405), Unclear},
		"408":      {answer(408), Later},
		"409":      {answer(409), Unclear},
		"422 bare": {answer(422), Unclear},
		"425":      {answer(425), Unclear},
		"429":      {answer(429), Later},
		"500":      {answer(500), Later},
		"502":      {answer(502), Later},
		"503":      {answer(503), Later},
		"504":      {answer(504), Later},
		"599":      {answer(599), Later},
		"302":      {answer(302), Unclear},

		"full, in the aggregator's words": {&APIError{Status: 400, Errors: []ErrorDetail{
			{Code: CodeBadRequest, Title: "Bad Request", Detail: "Longcode cannot be added to campaign. Limit exceeded"}}}, Later},
		"words do not excuse the key": {&APIError{Status: 401, Errors: []ErrorDetail{{Title: "limit exceeded"}}}, StopEverything},

		"inactive number":        {answer(400, "10001"), ForGood},
		"invalid number":         {answer(400, "10002"), ForGood},
		"missing parameter":      {answer(422, "10004"), ForGood},
		"not found":              {answer(404, "10005"), ForGood},
		"invalid id":             {answer(400, "10006"), ForGood},
		"unexpected":             {answer(400, "10007"), Later},
		"authentication":         {answer(400, "10009"), StopEverything},
		"authorization":          {answer(404, "10010"), StopEverything},
		"too many":               {answer(400, "10011"), Later},
		"duplicate":              {answer(400, "10012"), Unclear},
		"bad request":            {answer(400, "10015"), ForGood},
		"not E.164":              {answer(422, "10016"), ForGood},
		"associated missing":     {answer(422, "10017"), Later},
		"in use":                 {answer(422, "10021"), Later},
		"unprocessable":          {answer(422, "10027"), ForGood},
		"invalid word":           {answer(422, "10032"), ForGood},
		"out of range":           {answer(422, "10033"), ForGood},
		"locked":                 {answer(423, "10035"), Later},
		"being processed":        {answer(400, "10036"), Later},
		"being processed, 404":   {answer(404, "10036"), Later},
		"service unavailable":    {answer(400, "10037"), Later},
		"feature not permitted":  {answer(400, "10038"), StopEverything},
		"feature limited":        {answer(400, "10039"), StopEverything},
		"account inactive":       {answer(400, "20012"), StopEverything},
		"account blocked":        {answer(400, "20013"), StopEverything},
		"account unverified":     {answer(400, "20014"), StopEverything},
		"feature not enabled":    {answer(400, "20015"), StopEverything},
		"not level 1":            {answer(400, "20016"), StopEverything},
		"not level 2":            {answer(400, "20017"), StopEverything},
		"funds":                  {answer(402, "20100"), StopEverything},
		"unknown code":           {answer(400, "40300"), Unclear},
		"not registered":         {answer(400, "40010"), Unclear},
		"known beside unknown":   {answer(400, "99999", "10016"), ForGood},
		"passing beats for good": {answer(400, "10016", "10036"), Later},
		"stop beats passing":     {answer(503, "10036", "20100"), StopEverything},
		"status beats for good":  {answer(500, "10016"), Later},
		"403 beats passing":      {answer(403, "10036"), StopEverything},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Judge(tt.err); got != tt.want {
				t.Errorf("Judge(%v) = %s, want %s", tt.err, got, tt.want)
			}
		})
	}
}

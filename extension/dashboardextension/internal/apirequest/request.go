// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package apirequest reads what is asked of the Prometheus query API: it distinguishes
// what is the same, and refuses what would be too much, before anything is computed.
package apirequest

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// Request is a request to the query API, with its parameters in the one form that
// all ways to write them have in common.
type Request struct {
	Path   string // below /api/v1, such as /query_range
	Values url.Values
	// Work is about how much there is to compute, as far as the text says: the words of the
	// expressions, once for each point in time. It is known after Check.
	Work int
	// Regexp is the number of instructions that its regular expressions compile to, estimated from above. It is
	// known after Check.
	Regexp int
	// Growth is what it makes of labels, after CheckExpression.
	Growth Growth
}

// Limits are what may be asked for.
type Limits struct {
	Points     int           // of a series of a range query
	Range      time.Duration // from start to end, how far from now either may be, and how far an expression reaches
	Steps      int           // of a subquery
	Names      int           // of /series, /labels and values, which have a limit of their own
	QueryBytes int           // bytes of an expression
	Syntax     Syntax        // of all expressions of a request
}

// parameters are those that make an answer what it is. Others, such as those that
// clients add against caches of their own, do not.
var parameters = []string{
	"query", "time", "start", "end", "step", "lookback_delta", "match[]", "limit", "stats",
	"metric", "limit_per_metric", "exclude_alerts", "type", "rule_name[]", "rule_group[]", "file[]",
}

// New reads a request.
func New(path string, form url.Values) (Request, error) {
	q := Request{Path: path, Values: url.Values{}}
	for _, name := range parameters {
		values := slices.DeleteFunc(slices.Clone(form[name]), func(v string) bool { return v == "" })
		if len(values) == 0 {
			continue
		}
		var err error
		switch name {
		case "time", "start", "end":
			values[0], err = normalTime(values[0])
			values = values[:1]
		case "step", "lookback_delta":
			values[0], err = normalDuration(values[0])
			values = values[:1]
		case "match[]":
			slices.Sort(values)
		}
		if err != nil {
			return q, fmt.Errorf("invalid parameter %q: %w", name, err)
		}
		q.Values[name] = values
	}
	return q, nil
}

// Key is the same for questions that have the same answer.
func (q Request) Key() string { return q.Path + "?" + q.Values.Encode() }

// Check is an error when more is asked for than the limits allow. It is linear in what is
// asked: it parses no expression and compiles nothing; see CheckExpression for that.
func (q *Request) Check(limits Limits, now time.Time) error {
	scanner := scanner{limits: limits.Syntax}
	for _, name := range []string{"query", "match[]"} {
		for _, text := range q.Values[name] {
			if len(text) > limits.QueryBytes {
				return fmt.Errorf("%s: %d bytes: must be at most %d", name, len(text), limits.QueryBytes)
			}
			if err := scanner.scanExpression(text); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	q.Work, q.Regexp = scanner.tokens, scanner.regexp
	if !strings.HasPrefix(q.Path, "/query") {
		return nil // what there is of names and series does not depend on the time that is asked for
	}
	for _, name := range []string{"time", "start", "end"} {
		if t := q.time(name); !t.IsZero() && t.After(now.Add(limits.Range)) {
			return fmt.Errorf("%s: %s: must be at most %v from now", name, t.UTC().Format(time.RFC3339), limits.Range)
		}
	}
	if seconds, err := strconv.ParseFloat(q.Values.Get("lookback_delta"), 64); err == nil && seconds > limits.Range.Seconds() {
		return fmt.Errorf("lookback_delta: %vs: must be at most %v", q.Values.Get("lookback_delta"), limits.Range)
	}
	if q.Path == "/query_range" {
		if err := q.checkRange(limits); err != nil {
			return err
		}
		q.Work *= 1 + q.points()
	}
	if scanner.subqueries {
		q.Work *= 1 + limits.Steps
	}
	return nil
}

// points is how many points a series of a range query has.
func (q Request) points() int {
	step, err := strconv.ParseFloat(q.Values.Get("step"), 64)
	if err != nil || step <= 0 {
		return 0
	}
	return int(q.time("end").Sub(q.time("start")).Seconds() / step)
}

func (q Request) checkRange(limits Limits) error {
	start, end := q.time("start"), q.time("end")
	step, err := strconv.ParseFloat(q.Values.Get("step"), 64)
	if start.IsZero() || end.IsZero() || err != nil || step <= 0 {
		return errors.New("start, end and step: a range query needs them, and a step above zero")
	}
	if end.Before(start) {
		return errors.New("end: must not be before start")
	}
	if end.Sub(start) > limits.Range {
		return fmt.Errorf("start, end: %v apart: must be at most %v", end.Sub(start), limits.Range)
	}
	if points := end.Sub(start).Seconds() / step; points > float64(limits.Points) {
		return fmt.Errorf("step: %vs: would make %.0f points of a series, and %d are the most; use a longer one", step, points, limits.Points)
	}
	return nil
}

// Bound limits how many names, values or series are asked for.
func (q Request) Bound(limits Limits) {
	if q.Path != "/series" && !strings.HasPrefix(q.Path, "/label") {
		return
	}
	if n, err := strconv.Atoi(q.Values.Get("limit")); err != nil || n <= 0 || n > limits.Names {
		q.Values.Set("limit", strconv.Itoa(limits.Names))
	}
}

func (q Request) time(name string) time.Time {
	seconds, err := strconv.ParseFloat(q.Values.Get(name), 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(int64(math.Round(seconds * 1000)))
}

// farthest bounds times in seconds, so that arithmetic with them is exact: the end of
// the year 9999. Some clients write "always" as times that are further away.
const farthest = 253402300800

// normalTime gives a time, in seconds or in RFC 3339, in seconds.
func normalTime(text string) (string, error) {
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return "", fmt.Errorf("%q is not a time: use seconds since the epoch, or RFC 3339", text)
		}
		seconds = float64(t.UnixMilli()) / 1000
	}
	if math.IsNaN(seconds) {
		return "", fmt.Errorf("%q is not a time", text)
	}
	return number(min(max(seconds, -farthest), farthest)), nil
}

// normalDuration gives a duration, in seconds or as Prometheus writes it, in seconds.
func normalDuration(text string) (string, error) {
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil {
		duration, err := model.ParseDuration(text)
		if err != nil {
			return "", fmt.Errorf("%q is no duration: use seconds, or such as 15s or 5m", text)
		}
		seconds = time.Duration(duration).Seconds()
	}
	if math.IsNaN(seconds) || math.Abs(seconds) > farthest {
		return "", fmt.Errorf("%q is too long", text)
	}
	return number(seconds), nil
}

// number writes seconds with milliseconds, which are what the API works with.
func number(seconds float64) string {
	return strconv.FormatFloat(math.Round(seconds*1000)/1000, 'f', -1, 64)
}

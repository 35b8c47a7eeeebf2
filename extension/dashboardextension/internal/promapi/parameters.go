// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package promapi

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// The times between which everything is: those whose nanoseconds fit. A client that means "always" may write times that are further away.
var (
	earliest = time.UnixMilli(math.MinInt64 / 1_000_000)
	latest   = time.UnixMilli(math.MaxInt64 / 1_000_000)
)

// parameters reads the parameters of a request. The first that is invalid is the error; what is
// read after it is of no use.
type parameters struct {
	form url.Values
	err  error
}

func (p *parameters) invalid(name string, err error) {
	if p.err == nil {
		p.err = badData(fmt.Errorf("invalid parameter %q: %w", name, err))
	}
}

// time reads a time in seconds or in RFC 3339. Without it, it is otherwise.
func (p *parameters) time(name string, otherwise time.Time) time.Time {
	text := p.form.Get(name)
	if text == "" {
		return otherwise
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(seconds) {
		millis := math.Round(seconds * 1000)
		return time.UnixMilli(int64(min(max(millis, float64(earliest.UnixMilli())), float64(latest.UnixMilli()))))
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		p.invalid(name, fmt.Errorf("cannot parse %q to a valid timestamp", text))
	}
	return t
}

// required reads a time that has no default.
func (p *parameters) required(name string) time.Time {
	if p.form.Get(name) == "" {
		p.invalid(name, errors.New(`cannot parse "" to a valid timestamp`))
	}
	return p.time(name, time.Time{})
}

// between reads the range of a request for names or series, whose ends are optional.
func (p *parameters) between() (start, end time.Time) {
	start, end = p.time("start", earliest), p.time("end", latest)
	if end.Before(start) {
		p.invalid("end", errors.New("end timestamp must not be before start time"))
	}
	return start, end
}

// duration reads a duration in seconds or as PromQL writes it; 0 without it.
func (p *parameters) duration(name string) time.Duration {
	text := p.form.Get(name)
	if text == "" {
		return 0
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(seconds) < math.MaxInt64/float64(time.Second) {
		return time.Duration(seconds * float64(time.Second))
	}
	d, err := model.ParseDuration(text)
	if err != nil {
		p.invalid(name, fmt.Errorf("cannot parse %q to a valid duration", text))
	}
	return time.Duration(d)
}

// limit reads how many results are wanted; otherwise without it.
func (p *parameters) limit(otherwise int) int {
	text := p.form.Get("limit")
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err == nil && n < 0 {
		err = errors.New("must not be negative")
	}
	if err != nil {
		p.invalid("limit", err)
	}
	return n
}

// selectors reads match[]. Each has to select something.
func (p *parameters) selectors(language parser.Parser) [][]*labels.Matcher {
	sets, err := language.ParseMetricSelectors(p.form["match[]"])
	if err != nil {
		p.invalid("match[]", err)
	}
	for _, set := range sets {
		if !selects(set) {
			p.invalid("match[]", errors.New("match[] must contain at least one non-empty matcher"))
		}
	}
	return sets
}

// selects is whether a matcher of a set rejects series without its label.
func selects(set []*labels.Matcher) bool {
	for _, matcher := range set {
		if !matcher.Matches("") {
			return true
		}
	}
	return false
}

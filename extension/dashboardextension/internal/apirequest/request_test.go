// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package apirequest

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var limits = Limits{Points: 11_000, Steps: 100_000, Range: 366 * 24 * time.Hour, Names: 40_000, QueryBytes: 1_000, Syntax: syntaxLimits}

func ask(t *testing.T, path, form string) Request {
	t.Helper()
	values, err := url.ParseQuery(form)
	require.NoError(t, err)
	q, err := New(path, values)
	require.NoError(t, err)
	return q
}

// What is the same has the same key, however it is written.
func TestKey(t *testing.T) {
	t.Parallel()
	for name, forms := range map[string][]string{
		"times": {
			"query=up&start=1700000000&end=1700003600&step=15",
			"query=up&end=2023-11-14T23:13:20Z&start=2023-11-14T22:13:20%2B00:00&step=15s",
			"step=15.000&query=up&start=1700000000.0001&end=1.7000036e9&_=4711&timeout=5s&nocache=1",
		},
		"matchers": {"match[]=b&match[]=a", "match[]=a&match[]=b"},
		"empty":    {"query=up", "query=up&time="},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, form := range forms {
				assert.Equal(t, ask(t, "/query_range", forms[0]).Key(), ask(t, "/query_range", form).Key())
			}
		})
	}
	different := map[string]bool{}
	for _, form := range []string{"query=up", "query=up&time=1", "query=up&time=1.001", "query=up&stats=all", "query=up&lookback_delta=20s", "query=down"} {
		different[ask(t, "/query", form).Key()] = true
	}
	different[ask(t, "/query_range", "query=up").Key()] = true
	assert.Len(t, different, 7)
}

func TestCheck(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	for name, c := range map[string]struct {
		path, form, refused string
	}{
		"an hour":             {"/query_range", "query=up&start=1699996400&end=1700000000&step=15", ""},
		"as many as there go": {"/query_range", "query=up&start=1699890000&end=1700000000&step=10", ""},
		"this year":           {"/query_range", "query=up&start=1672531200&end=1704067200&step=3600", ""},
		"one point":           {"/query_range", "query=up&start=1700000000&end=1700000000&step=1", ""},
		"the year 9999": {
			"/query_range", "query=up&start=1700000000&end=9999-12-31T00:00:00Z&step=100000000",
			"end: 9999-12-31T00:00:00Z: must be at most 8784h0m0s from now",
		},
		"at the year 9999": {"/query", "query=up&time=253402214400", "time: 9999-12-31T00:00:00Z: must be"},
		"since the epoch":  {"/query_range", "query=up&start=0&end=1700000000&step=1000000", "start, end: 472222h13m20s apart: must be at most 8784h0m0s"},
		"every millisecond": {
			"/query_range", "query=up&start=1699996400&end=1700000000&step=0.001",
			"step: 0.001s: would make 3600000 points of a series, and 11000 are the most",
		},
		"no step":           {"/query_range", "query=up&start=1&end=2", "start, end and step"},
		"step of nothing":   {"/query_range", "query=up&start=1&end=2&step=0", "a step above zero"},
		"backwards":         {"/query_range", "query=up&start=2&end=1&step=1", "end: must not be before start"},
		"a long expression": {"/query", "query=" + strings.Repeat("x", 1001), "query: 1001 bytes: must be at most 1000"},
		"a subquery":        {"/query", "query=max_over_time(up[7d:9s])", ""},
		"every millisecond of it": {
			"/query", "query=max_over_time(up[1h:1ms])", "query: up[1h:1ms]: would take 3600000 steps, and 100000 are the most",
		},
		"no step of its own": {"/query", "query=max_over_time(up[100d:])", "query: up[100d:]: would take 144000 steps"},
		"one within another": {
			"/query", "query=max_over_time(max_over_time(up[1m:1s])[2d:1h])", "query: up[1m:1s]: would take 172860 steps",
		},
		"over a range": {
			"/query_range", "query=max_over_time(up[1m:1s])&start=1699800000&end=1700000000&step=100", "query: up[1m:1s]: would take 200060 steps",
		},
		"far back":           {"/query", "query=rate(up[3y])", "query: up[3y]: must not reach further than 8784h0m0s"},
		"far back and often": {"/query", "query=rate(up[3y:1s])", "query: up[3y:1s]: must not reach further than 8784h0m0s"},
		"a long lookback":    {"/query", "query=up&lookback_delta=1e9", "lookback_delta: 1000000000s: must be at most 8784h0m0s"},
		"over years":         {"/query_range", "query=up&start=1&end=2&step=1&lookback_delta=3y", "lookback_delta: 94608000s: must be at most 8784h0m0s"},
		"a day":              {"/query", "query=up&lookback_delta=1d", ""},
		"no expression":      {"/query", "query=max_over_time(", ""},
		"always":             {"/series", "start=-9223309901257974&end=9223309901257974&match[]=up", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := ask(t, c.path, c.form)
			err := q.Check(limits, now)
			if err == nil {
				err = q.CheckExpression(limits)
			}
			if c.refused == "" {
				assert.NoError(t, err)
				return
			}
			assert.ErrorContains(t, err, c.refused)
		})
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	for form, message := range map[string]string{
		"time=yesterday":    `invalid parameter "time": "yesterday" is not a time`,
		"start=NaN":         `invalid parameter "start": "NaN" is not a time`,
		"step=often":        `invalid parameter "step": "often" is no duration`,
		"step=1e300":        `invalid parameter "step": "1e300" is too long`,
		"lookback_delta=-x": `invalid parameter "lookback_delta"`,
	} {
		values, err := url.ParseQuery(form)
		require.NoError(t, err)
		_, err = New("/query", values)
		assert.ErrorContains(t, err, message)
	}
}

func TestBound(t *testing.T) {
	t.Parallel()
	for form, want := range map[string]string{"": "40000", "limit=0": "40000", "limit=50000": "40000", "limit=7": "7", "limit=x": "40000"} {
		q := ask(t, "/series", form)
		q.Bound(limits)
		assert.Equal(t, want, q.Values.Get("limit"))
	}
	q := ask(t, "/query", "query=up")
	q.Bound(limits)
	assert.False(t, q.Values.Has("limit"))
}

// Whatever is asked, a question is in its one form, and checking it does not panic.
func FuzzNew(f *testing.F) {
	f.Add("query=up&start=2023-11-14T22:13:20Z&end=1700003600&step=15s")
	f.Add("match[]=b&match[]=a&limit=-1&time=9e99")
	f.Add("query=max_over_time(up[1h:1ms])&start=1&end=2&step=1")
	f.Fuzz(func(t *testing.T, form string) {
		values, _ := url.ParseQuery(form)
		q, err := New("/query_range", values)
		if err != nil {
			return
		}
		again, err := New("/query_range", q.Values)
		require.NoError(t, err)
		require.Equal(t, q.Key(), again.Key())
		if q.Check(limits, time.Unix(1_700_000_000, 0)) == nil {
			_ = q.CheckExpression(limits)
		}
		q.Bound(limits)
	})
}

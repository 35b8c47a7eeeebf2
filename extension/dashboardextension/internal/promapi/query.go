// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package promapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/util/stats"
)

var errTruncated = errors.New("results truncated due to limit")

func (a *api) query(r *http.Request) (result, error) {
	p := parameters{form: r.Form}
	at, options := p.time("time", time.Now()), p.options()
	return a.evaluate(r.Context(), &p, func(ctx context.Context) (promql.Query, error) {
		return a.Engine.NewInstantQuery(ctx, a.Storage, options, r.Form.Get("query"), at)
	})
}

func (a *api) queryRange(r *http.Request) (result, error) {
	p := parameters{form: r.Form}
	start, end, step, options := p.required("start"), p.required("end"), p.duration("step"), p.options()
	if end.Before(start) {
		p.invalid("end", errors.New("end timestamp must not be before start time"))
	}
	if step <= 0 {
		p.invalid("step", errors.New("zero or negative query resolution step widths are not accepted. Try a positive integer"))
	}
	return a.evaluate(r.Context(), &p, func(ctx context.Context) (promql.Query, error) {
		return a.Engine.NewRangeQuery(ctx, a.Storage, options, r.Form.Get("query"), start, end, step)
	})
}

func (p *parameters) options() promql.QueryOpts {
	return promql.NewPrometheusQueryOpts(p.form.Get("stats") == "all", p.duration("lookback_delta"))
}

// evaluate runs a query. What it returns has to be closed after it is written: it holds memory of the engine.
func (a *api) evaluate(ctx context.Context, p *parameters, prepare func(context.Context) (promql.Query, error)) (result, error) {
	limit := p.limit(0)
	if p.err != nil {
		return result{}, p.err
	}
	query, err := prepare(ctx)
	if err != nil {
		p.invalid("query", err)
		return result{}, p.err
	}
	evaluated := query.Exec(ctx)
	answer := result{warnings: evaluated.Warnings, release: query.Close}
	if evaluated.Err != nil {
		return answer, failed(evaluated.Err)
	}
	value, truncated := first(evaluated.Value, limit)
	if truncated {
		answer.warnings = answer.warnings.Add(errTruncated)
	}
	answer.value = value
	if p.form.Get("stats") != "" {
		answer.stats = stats.NewQueryStats(query.Stats())
	}
	return answer, nil
}

// first is the beginning of a vector or a matrix; all of it where limit is 0.
func first(value parser.Value, limit int) (parser.Value, bool) {
	if limit == 0 {
		return value, false
	}
	switch v := value.(type) {
	case promql.Matrix:
		return v[:min(len(v), limit)], len(v) > limit
	case promql.Vector:
		return v[:min(len(v), limit)], len(v) > limit
	}
	return value, false
}

func (a *api) queryExemplars(r *http.Request) (result, error) {
	p := parameters{form: r.Form}
	start, end := p.between()
	if p.err != nil {
		return result{}, p.err
	}
	expression, err := a.Parser.ParseExpr(r.Form.Get("query"))
	if err != nil {
		return result{}, badData(err)
	}
	selectors := parser.ExtractSelectors(expression)
	if len(selectors) == 0 {
		return result{}, nil
	}
	querier, err := a.Storage.ExemplarQuerier(r.Context())
	if err != nil {
		return result{}, failed(err)
	}
	found, err := querier.Select(start.UnixMilli(), end.UnixMilli(), selectors...)
	if err != nil {
		return result{}, failed(err)
	}
	return result{data: found}, nil
}

// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"net/http"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/promapi"
)

// lookback is Prometheus's own: how long a series goes on after its last sample.
const lookback = 5 * time.Minute

func newAPI(s *Store) http.Handler {
	language := parser.NewParser(parser.Options{})
	engine := promql.NewEngine(promql.EngineOpts{
		Logger:               s.options.Logger,
		MaxSamples:           s.options.QueryMaxSamples,
		Timeout:              s.options.QueryTimeout,
		LookbackDelta:        lookback,
		EnableAtModifier:     true,
		EnableNegativeOffset: true,
		NoStepSubqueryIntervalFn: func(int64) int64 {
			return time.Minute.Milliseconds()
		},
		Parser: language,
	})
	return promapi.New(promapi.Options{
		Engine:    engine,
		Parser:    language,
		Storage:   database{s},
		Version:   s.options.Version,
		Retention: s.options.Retention,
		Logger:    s.options.Logger,
	})
}

// database is the store's database of the moment, which a request may use while it
// holds the store.
type database struct{ *Store }

func (d database) Querier(from, to int64) (storage.Querier, error) {
	querier, err := d.db.Querier(from, to)
	return bounded{Querier: querier, maxSamples: d.options.QueryMaxSamples}, err
}

func (d database) ExemplarQuerier(ctx context.Context) (storage.ExemplarQuerier, error) {
	return d.db.ExemplarQuerier(ctx)
}

func (d database) Stats(byLabel string, limit int) *tsdb.Stats {
	return d.db.Head().Stats(byLabel, limit)
}

func (d database) Gather() ([]*dto.MetricFamily, error) { return d.registry.Gather() }

func (d database) Families() map[string]metadata.Metadata { return d.metadata.all() }

// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	remoteapi "github.com/prometheus/client_golang/exp/api/remote"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/route"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/notifications"
	api "github.com/prometheus/prometheus/web/api/v1"
)

// lookback is Prometheus's own: how long a series goes on after its last sample.
const lookback = 5 * time.Minute

// newAPI makes Prometheus's own API for the database of a store. Only here is known
// what it wants: besides the database and the engine, all that a Prometheus server has
// and a store has not.
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
	started := time.Now()
	hostname, _ := os.Hostname()
	configuration := config.DefaultConfig
	database := database{s}
	none := noopRetriever{target: newTarget(&s.metadata)}
	v1 := api.NewAPI(
		engine,
		database,
		nil, nil, // appenders: writing is ours
		database,
		func(context.Context) api.ScrapePoolsRetriever { return none },
		func(context.Context) api.TargetRetriever { return none },
		func(context.Context) api.AlertmanagerRetriever { return none },
		func() config.Config { return configuration },
		map[string]string{"storage.tsdb.retention.time": model.Duration(s.options.Retention).String()},
		api.GlobalURLOptions{},
		func(next http.HandlerFunc) http.HandlerFunc { return next }, // ready: the store sees to it
		database, s.options.Directory,
		false,    // admin
		false, 0, // search
		s.options.Logger,
		func(context.Context) api.RulesRetriever { return none },
		0, 1, 0, // remote read, which is not routed
		false, // agent
		nil,   // CORS
		func() (api.RuntimeInfo, error) {
			return api.RuntimeInfo{
				StartTime:           started,
				Hostname:            hostname,
				ServerTime:          time.Now(),
				ReloadConfigSuccess: true,
				LastConfigTime:      started,
				GoroutineCount:      runtime.NumGoroutine(),
				GOMAXPROCS:          runtime.GOMAXPROCS(0),
				GOMEMLIMIT:          debug.SetMemoryLimit(-1),
				StorageRetention:    model.Duration(s.options.Retention).String(),
			}, nil
		},
		&api.PrometheusVersion{Version: s.options.Version, GoVersion: runtime.Version()},
		func() []notifications.Notification { return nil },
		nil, // notifications, which are not routed
		prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return s.registry.Gather() }), nil,
		nil,                             // statistics
		false, remoteapi.MessageTypes{}, // remote write: ours
		false, false, false, // OTLP: ours
		false,        // zeros at start timestamps
		lookback,     //
		false, false, // type and unit labels, metadata
		nil, // error codes
		nil, // features
		api.OpenAPIOptions{},
		language,
	)
	router := route.New()
	v1.Register(router.WithPrefix("/api/v1"))
	return router
}

// database is the store's database of the moment, which a request may use while it
// holds the store.
type database struct{ *Store }

func (d database) Querier(from, to int64) (storage.Querier, error) {
	querier, err := d.db.Querier(from, to)
	return bounded{Querier: querier, maxSamples: d.options.QueryMaxSamples}, err
}

func (d database) ChunkQuerier(from, to int64) (storage.ChunkQuerier, error) {
	return d.db.ChunkQuerier(from, to)
}

func (d database) ExemplarQuerier(ctx context.Context) (storage.ExemplarQuerier, error) {
	return d.db.ExemplarQuerier(ctx)
}

func (d database) Stats(byLabel string, limit int) (*tsdb.Stats, error) {
	return d.db.Head().Stats(byLabel, limit), nil
}

func (d database) WALReplayStatus() (tsdb.WALReplayStatus, error) {
	return tsdb.WALReplayStatus{}, nil
}

func (d database) BlockMetas() ([]tsdb.BlockMeta, error) { return d.db.BlockMetas(), nil }

var errReadOnly = errors.New("this API is for reading")

func (database) CleanTombstones() error { return errReadOnly }

func (database) Delete(context.Context, int64, int64, ...*labels.Matcher) error { return errReadOnly }

func (database) Snapshot(string, bool) error { return errReadOnly }

// noopRetriever is what a store has of all that a server has: no targets, no rules, no
// Alertmanagers. One target stands for the metrics whose types are known.
type noopRetriever struct{ target *scrape.Target }

func newTarget(metadata scrape.MetricMetadataStore) *scrape.Target {
	target := scrape.NewTarget(labels.EmptyLabels(), &config.ScrapeConfig{}, nil, nil)
	target.SetMetadataStore(metadata)
	return target
}

func (noopRetriever) ScrapePools() []string { return nil }

func (n noopRetriever) TargetsActive() map[string][]*scrape.Target {
	return map[string][]*scrape.Target{"": {n.target}}
}

func (noopRetriever) TargetsDropped() map[string][]*scrape.Target { return nil }

func (noopRetriever) TargetsDroppedCounts() map[string]int { return nil }

func (noopRetriever) ScrapePoolConfig(string) (*config.ScrapeConfig, error) { return nil, errReadOnly }

func (noopRetriever) Alertmanagers() []*url.URL { return nil }

func (noopRetriever) DroppedAlertmanagers() []*url.URL { return nil }

func (noopRetriever) RuleGroups() []*rules.Group { return nil }

func (noopRetriever) AlertingRules() []*rules.AlertingRule { return nil }

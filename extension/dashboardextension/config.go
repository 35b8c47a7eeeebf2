// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package dashboardextension

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/confduration"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/httpguard"
)

// Config is the configuration of the extension; see the README.
type Config struct {
	// ServerConfig is where the page and the API are.
	ServerConfig confighttp.ServerConfig `mapstructure:",squash"`
	// AllowInsecure is the word without which an endpoint that other machines reach
	// needs TLS.
	AllowInsecure bool `mapstructure:"allow_insecure"`
	// AllowedHosts are names under which an endpoint on loopback is asked for as well,
	// such as that of a reverse proxy.
	AllowedHosts []string `mapstructure:"allowed_hosts"`
	// Store is the embedded database.
	Store configoptional.Optional[StoreConfig] `mapstructure:"store"`
	// Prometheus is an outside database, instead of the embedded one.
	Prometheus configoptional.Optional[confighttp.ClientConfig] `mapstructure:"prometheus"`
	// Alertmanager is the API in which the page lists and silences alerts.
	Alertmanager configoptional.Optional[confighttp.ClientConfig] `mapstructure:"alertmanager"`
	// Events is the store of events; without it there is none.
	Events configoptional.Optional[EventsConfig] `mapstructure:"events"`
	// Links are where the page links to from events.
	Links []LinkConfig `mapstructure:"links"`
	// Query bounds what may be asked.
	Query QueryConfig `mapstructure:"query"`
	// Window says when there are new windows to ask for.
	Window WindowConfig `mapstructure:"window"`

	deprecated []string // keys that are set and deprecated
}

// StoreConfig is the embedded database.
type StoreConfig struct {
	// Directory is where it is kept. It is made if it is not there.
	Directory string `mapstructure:"directory"`
	// Retention is how long samples are kept.
	Retention time.Duration `mapstructure:"retention"`
	// MaxBytes is how much disk the blocks may take; beyond it the oldest go. 0 is no limit.
	MaxBytes int64 `mapstructure:"max_bytes"`
	// OutOfOrderWindow is how much older than the newest sample one may be.
	OutOfOrderWindow time.Duration `mapstructure:"out_of_order_window"`
	// MaxSeries bounds the series that have samples of late.
	MaxSeries int `mapstructure:"max_series"`
	// MinFreeBytes is what samples leave free on the disk.
	MinFreeBytes int64 `mapstructure:"min_free_bytes"`
}

// EventsConfig is the store of events.
type EventsConfig struct {
	// Directory is where they are kept. It is created if it does not exist.
	Directory string `mapstructure:"directory"`
	// Retention is how long events are kept, by their time. They are deleted by the hour.
	Retention time.Duration `mapstructure:"retention"`
	// MaxBytes is the maximum size of all files; above it the oldest hours are deleted. 0 is no limit.
	MaxBytes int64 `mapstructure:"max_bytes"`
	// MinFreeBytes is what events leave free on the disk.
	MinFreeBytes int64 `mapstructure:"min_free_bytes"`
	// EraseToken allows to erase the events of a channel. Without it erasing is off.
	EraseToken configopaque.String `mapstructure:"erase_token"`
}

// LinkConfig is a link of the page to another system.
type LinkConfig struct {
	// Name is the text of the link.
	Name string `mapstructure:"name" json:"name"`
	// URL is where it leads. {start}, {end}, {tenant_id}, {region}, {channel_type}, {channel_id} and {trace_id} in it
	// are replaced.
	URL string `mapstructure:"url" json:"url"`
}

// placeholders of LinkConfig.URL.
var placeholders = []string{"start", "end", "start_iso", "end_iso", "tenant_id", "region", "channel_type", "channel_id", "trace_id"}

var placeholder = regexp.MustCompile(`\{([a-z_]*)\}`)

// QueryConfig bounds what may be asked.
type QueryConfig struct {
	// Timeout is how long an answer may take.
	Timeout time.Duration `mapstructure:"timeout"`
	// MaxSamples is how many samples a query may hold in memory, in the embedded store.
	MaxSamples int `mapstructure:"max_samples"`
	// MaxConcurrent is how many queries are worked on at a time.
	MaxConcurrent int `mapstructure:"max_concurrent"`
	// MaxRange is how far apart start and end may be.
	MaxRange time.Duration `mapstructure:"max_range"`
	// CacheBytes is the room for answers that are given to several viewers.
	CacheBytes int `mapstructure:"cache_bytes"`
}

// WindowConfig is when windows are there to be asked for.
type WindowConfig struct {
	// Size and Overlap are those of ws_window, until the first windows arrive. Deprecated: the
	// windows' own metrics have them.
	Size    time.Duration `mapstructure:"size"`
	Overlap time.Duration `mapstructure:"overlap"`
	// Offset is from a window's end to the moment when pages ask for it.
	Offset time.Duration `mapstructure:"offset"`
}

var _ component.Config = (*Config)(nil)

// Unmarshal refuses durations without a unit, and notes which deprecated keys are set.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	for _, key := range []string{"window::size", "window::overlap"} {
		if conf.IsSet(key) {
			c.deprecated = append(c.deprecated, key)
		}
	}
	return confduration.Unmarshal(conf, c)
}

// Validate says which key cannot be as it is.
func (c *Config) Validate() error {
	var errs []error
	refuse := func(key string, value any, rule string) {
		errs = append(errs, fmt.Errorf("%s: %v: %s", key, value, rule))
	}
	c.checkEndpoint(refuse)
	switch {
	case c.Store.HasValue() && c.Prometheus.HasValue():
		errs = append(errs, errors.New("store, prometheus: only one of them can be shown"))
	case c.Store.HasValue():
		c.Store.Get().check(refuse)
	case c.Prometheus.HasValue():
		if u, err := url.Parse(c.Prometheus.Get().Endpoint); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			refuse("prometheus::endpoint", shown(c.Prometheus.Get().Endpoint),
				"must be a URL such as http://mimir:9009/prometheus, to which /api/v1/query is added")
		}
	default:
		errs = append(errs, errors.New("store::directory: must be set, or prometheus::endpoint to show what is kept elsewhere"))
	}
	if c.Alertmanager.HasValue() {
		if u, err := url.Parse(c.Alertmanager.Get().Endpoint); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			refuse("alertmanager::endpoint", shown(c.Alertmanager.Get().Endpoint),
				"must be a URL such as http://localhost:9093, to which /api/v2/alerts is added")
		}
	}
	if c.Events.HasValue() {
		c.Events.Get().check(refuse)
		if c.Store.HasValue() && filepath.Clean(c.Events.Get().Directory) == filepath.Clean(c.Store.Get().Directory) {
			refuse("events::directory", c.Events.Get().Directory, "must not be store::directory")
		}
	}
	for i := range c.Links {
		c.Links[i].check(fmt.Sprintf("links::%d", i), refuse)
	}
	c.Query.check(refuse)
	c.Window.check(refuse)
	return errors.Join(errs...)
}

// shown is a URL as errors cite it, without its password.
func shown(text string) string {
	if !strings.Contains(text, "@") {
		return strconv.Quote(text)
	}
	u, err := url.Parse(text)
	if err != nil || u.User == nil {
		return "(not shown, as it may have a password)"
	}
	return strconv.Quote(u.Redacted())
}

func (c *Config) checkEndpoint(refuse func(key string, value any, rule string)) {
	endpoint := c.ServerConfig.NetAddr.Endpoint
	if endpoint == "" {
		refuse("endpoint", `""`, "must be an address, such as localhost:3080")
		return
	}
	if !c.onLoopback() && !c.ServerConfig.TLS.HasValue() && !c.AllowInsecure {
		refuse("endpoint", endpoint, "other machines reach it, and would read in the clear: "+
			"set tls, or say allow_insecure: true when something in front of it has TLS, or use localhost")
	}
}

// onLoopback is whether only this machine reaches the endpoint.
func (c *Config) onLoopback() bool { return httpguard.OnLoopback(c.ServerConfig.NetAddr) }

func (s *StoreConfig) check(refuse func(key string, value any, rule string)) {
	if s.Directory == "" {
		refuse("store::directory", `""`, "must be a directory that outlives the collector")
	}
	if s.Retention < 3*time.Hour {
		refuse("store::retention", s.Retention, "must be at least 3h")
	}
	if s.MaxBytes < 0 {
		refuse("store::max_bytes", s.MaxBytes, "must not be negative; 0 is no limit")
	}
	if s.OutOfOrderWindow < 0 || s.OutOfOrderWindow > s.Retention {
		refuse("store::out_of_order_window", s.OutOfOrderWindow, fmt.Sprintf("must be from 0s to retention (%v)", s.Retention))
	}
	if s.MaxSeries < 1 {
		refuse("store::max_series", s.MaxSeries, "must be at least 1")
	}
	if s.MinFreeBytes < 0 {
		refuse("store::min_free_bytes", s.MinFreeBytes, "must not be negative")
	}
}

func (e *EventsConfig) check(refuse func(key string, value any, rule string)) {
	if e.Directory == "" {
		refuse("events::directory", `""`, "must be a directory that outlives the collector")
	}
	if e.Retention < time.Hour || e.Retention > maxEventRetention {
		refuse("events::retention", e.Retention, fmt.Sprintf("must be from 1h to %v", maxEventRetention))
	}
	if e.MaxBytes < 0 {
		refuse("events::max_bytes", e.MaxBytes, "must not be negative; 0 is no limit")
	}
	if e.MinFreeBytes < 0 {
		refuse("events::min_free_bytes", e.MinFreeBytes, "must not be negative")
	}
	if n := len(e.EraseToken); n > 0 && n < minEraseToken {
		refuse("events::erase_token", fmt.Sprintf("%d characters", n), fmt.Sprintf("must have at least %d, such as those of openssl rand -hex 32", minEraseToken))
	}
}

const (
	maxEventRetention = 31 * 24 * time.Hour
	minEraseToken     = 16
)

func (l *LinkConfig) check(key string, refuse func(key string, value any, rule string)) {
	if l.Name == "" {
		refuse(key+"::name", `""`, "must be the text of the link")
	}
	u, err := url.Parse(placeholder.ReplaceAllString(l.URL, "x"))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		refuse(key+"::url", shown(l.URL), "must be a URL such as https://grafana.example.com/explore?from={start}&to={end}")
	}
	for _, found := range placeholder.FindAllStringSubmatch(l.URL, -1) {
		if !slices.Contains(placeholders, found[1]) {
			refuse(key+"::url", found[0], "is not known; known are {"+strings.Join(placeholders, "}, {")+"}")
		}
	}
}

func (q *QueryConfig) check(refuse func(key string, value any, rule string)) {
	if q.Timeout < 100*time.Millisecond {
		refuse("query::timeout", q.Timeout, "must be at least 100ms")
	}
	if q.MaxSamples < 1 {
		refuse("query::max_samples", q.MaxSamples, "must be at least 1")
	}
	if q.MaxConcurrent < 1 {
		refuse("query::max_concurrent", q.MaxConcurrent, "must be at least 1")
	}
	if q.MaxRange < time.Hour {
		refuse("query::max_range", q.MaxRange, "must be at least 1h")
	}
	if q.CacheBytes < 0 {
		refuse("query::cache_bytes", q.CacheBytes, "must not be negative; 0 keeps nothing")
	}
}

func (w *WindowConfig) check(refuse func(key string, value any, rule string)) {
	if w.Size < 100*time.Millisecond {
		refuse("window::size", w.Size, "must be at least 100ms")
	}
	if w.Overlap < 0 || w.Overlap >= w.Size {
		refuse("window::overlap", w.Overlap, fmt.Sprintf("must be from 0s to less than size (%v)", w.Size))
	}
	if w.Offset < 0 {
		refuse("window::offset", w.Offset, "must not be negative")
	}
}

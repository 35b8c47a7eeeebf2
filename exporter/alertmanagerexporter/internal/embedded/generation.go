// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package embedded

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/config/receiver"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/inhibit"
	"github.com/prometheus/alertmanager/nflog/nflogpb"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/alertmanager/timeinterval"
	commonconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/regularfile"
)

// Source is an Alertmanager configuration: a file, or its content where Path is empty.
type Source struct {
	Path, Content string
}

func (s Source) load() (*config.Config, error) {
	initMatchers()
	if s.Path == "" {
		conf, err := config.Load(s.Content)
		return conf, redacted(err)
	}
	if _, err := readBounded(s.Path); err != nil { // before upstream, which reads anything
		return nil, err
	}
	conf, err := config.LoadFile(filepath.Clean(s.Path))
	if err != nil {
		return nil, redacted(err)
	}
	for _, pattern := range conf.Templates {
		paths, _ := filepath.Glob(pattern) // upstream reports the error
		for _, path := range paths {
			if _, err := readBounded(path); err != nil {
				return nil, fmt.Errorf("templates: %w", err)
			}
		}
	}
	return conf, nil
}

var (
	parsedURL = regexp.MustCompile(`parse "(?:[^"\\]|\\.)*": .*`)
	userinfo  = regexp.MustCompile(`://[^\s"]*@`)
)

// redacted is an error of upstream without the URLs that it cites, which may be secrets as a whole.
func redacted(err error) error {
	if err == nil {
		return nil
	}
	text := parsedURL.ReplaceAllString(err.Error(), "a URL is not valid; it may be a secret, and is not shown")
	if text = userinfo.ReplaceAllString(text, "://xxxxx@"); text != err.Error() {
		return errors.New(text)
	}
	return err
}

// maxConfigBytes bounds a configuration, and a template.
const maxConfigBytes = 1 << 20

// readBounded reads a regular file, or what a link to one leads to.
func readBounded(path string) ([]byte, error) {
	content, err := regularfile.Read(filepath.Clean(path), maxConfigBytes)
	switch {
	case errors.Is(err, regularfile.ErrNotRegular), errors.Is(err, regularfile.ErrDirectory):
		return nil, fmt.Errorf("%w: must be a regular file", err)
	case errors.Is(err, regularfile.ErrTooLong):
		return nil, fmt.Errorf("%s: more than %d bytes", path, maxConfigBytes)
	}
	return content, err
}

// Sum is a checksum of the content of the file and of its templates.
func (s Source) Sum() (string, error) {
	if s.Path == "" {
		return "", nil
	}
	content, err := readBounded(s.Path)
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	hash.Write(content)
	if conf, err := s.load(); err == nil { // Apply reports the error
		for _, pattern := range conf.Templates {
			paths, _ := filepath.Glob(pattern)
			for _, path := range paths {
				text, err := readBounded(path)
				fmt.Fprintf(hash, "%q %v ", path, err)
				hash.Write(text)
			}
		}
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// parsed is a configuration and its templates, as they were in the files.
type parsed struct {
	config    *config.Config
	templates *template.Template
}

func (s Source) parse() (parsed, error) {
	conf, err := s.load()
	if err != nil {
		return parsed{}, err
	}
	text, err := template.FromGlobs(conf.Templates)
	if err != nil {
		return parsed{}, redacted(fmt.Errorf("templates: %w", err))
	}
	return parsed{conf, text}, nil
}

// inForce are the configurations of files that this process has applied. A restart of the
// pipelines, as after a reload that failed, keeps them in force like a running engine.
var inForce regularfile.InForce[parsed]

// Check returns an error for a configuration that Apply would refuse, and that ApplyLast
// would not replace.
func Check(source Source, retention time.Duration, webhooks []string) error {
	conf, err := source.parse()
	if err == nil {
		_, err = build(conf, retention, webhooks, slog.New(slog.DiscardHandler))
	}
	if err == nil {
		return nil
	}
	if kept, ok := inForce.Of(source.Path); ok {
		if _, errKept := build(kept, retention, webhooks, slog.New(slog.DiscardHandler)); errKept == nil {
			return nil
		}
	}
	return redacted(err)
}

// build makes the integrations of a configuration, by receiver, and checks its routes.
func build(from parsed, retention time.Duration, webhooks []string, logger *slog.Logger) (map[string][]notify.Integration, error) {
	conf, text := from.config, from.templates
	routes := dispatch.NewRoute(conf.Route, nil)
	var errs []error
	used := map[string]bool{}
	routes.Walk(func(r *dispatch.Route) {
		used[r.RouteOpts.Receiver] = true
		if r.RouteOpts.RepeatInterval > retention {
			errs = append(errs, fmt.Errorf("route to %s: repeat_interval: %v: must be at most retention, %v, or notifications are repeated earlier",
				r.RouteOpts.Receiver, r.RouteOpts.RepeatInterval, retention))
		}
	})
	receivers := map[string][]notify.Integration{}
	for _, one := range conf.Receivers {
		integrations, err := receiver.BuildReceiverIntegrations(one, text, logger, commonconfig.WithKeepAlivesDisabled()) // so that no connection outlives a reload
		if err != nil {
			errs = append(errs, fmt.Errorf("receiver %s: %w", one.Name, err))
		}
		receivers[one.Name] = integrations
	}
	for _, name := range webhooks {
		if _, known := receivers[name]; !known {
			errs = append(errs, fmt.Errorf("webhooks::%s: no receiver of this name; the receivers are %v", name, slices.Sorted(maps.Keys(receivers))))
		}
	}
	maps.DeleteFunc(receivers, func(name string, _ []notify.Integration) bool { return !used[name] })
	return receivers, errors.Join(errs...)
}

// generation is what one configuration runs; it is replaced as a whole.
type generation struct {
	route      *dispatch.Route
	receivers  map[string][]notify.Integration
	dispatcher *dispatch.Dispatcher
	inhibitor  *inhibit.Inhibitor
	gate       *gate
	running    sync.WaitGroup
}

// drain bounds the time that notifications in flight have to end, when they are not to be
// repeated by the next generation.
const drain = 2 * time.Second

// stop ends the generation: first what begins notifications, then those in flight.
func (g *generation) stop() {
	if g == nil {
		return
	}
	g.gate.close()
	g.dispatcher.Stop()
	g.gate.drain(drain)
	g.inhibitor.Stop()
	g.running.Wait()
}

// Apply replaces the configuration. One that cannot be used is an error, and changes nothing.
func (e *Engine) Apply(source Source) error {
	from, err := source.parse()
	if err != nil {
		return err
	}
	if err = e.apply(from); err == nil && source.Path != "" {
		inForce.Keep(source.Path, from)
	}
	return err
}

// ApplyLast applies what the file held when this process applied it last; false: there is
// nothing, or it cannot be used any more.
func (e *Engine) ApplyLast(source Source) bool {
	kept, ok := inForce.Of(source.Path)
	return ok && e.apply(kept) == nil
}

func (e *Engine) apply(from parsed) error {
	receivers, err := build(from, e.options.Retention, slices.Collect(maps.Keys(e.options.Webhooks)), e.options.Logger)
	if err != nil {
		return err
	}
	conf, text := from.config, from.templates
	text.ExternalURL = e.options.ExternalURL
	if conf.TracingConfig.Endpoint != "" {
		e.options.Logger.Warn("tracing is not used here: the collector traces itself")
	}
	for name, integrations := range receivers {
		receivers[name] = e.integrations(name, integrations, text)
	}
	e.applying.Lock()
	defer e.applying.Unlock()
	if e.closed {
		return errors.New("closed")
	}
	old := e.current.Load()
	old.stop()
	next, err := e.start(conf, text, receivers)
	if err != nil {
		return err
	}
	e.api.Update(conf, func(ctx context.Context, labels model.LabelSet) {
		next.inhibitor.Mutes(ctx, labels)
		e.silencer.Mutes(ctx, labels)
	})
	e.current.Store(next)
	return nil
}

// integrations adds our own notifier of the receiver, and reports all results.
func (e *Engine) integrations(name string, all []notify.Integration, text *template.Template) []notify.Integration {
	if own, ok := e.options.Webhooks[name]; ok {
		a := &adapter{
			notifier: own, log: e.log, template: text, logger: e.options.Logger,
			receiver: &nflogpb.Receiver{GroupName: name, Integration: webhookIntegration},
		}
		all = append(all, notify.NewIntegration(a, a, webhookIntegration, 0, name))
	}
	for i := range all {
		o := &observed{integration: all[i], receiver: name, engine: e}
		all[i] = o.wrapped()
	}
	return all
}

func (e *Engine) start(conf *config.Config, text *template.Template, receivers map[string][]notify.Integration) (*generation, error) {
	// Resolved alerts that wait are in the old groups alone.
	if err := e.alerts.restore(context.Background(), func(f model.Fingerprint) bool { return !e.alerts.inMemory(f) }); err != nil {
		return nil, err
	}
	next := &generation{gate: newGate(), route: dispatch.NewRoute(conf.Route, nil), receivers: receivers}
	next.inhibitor = inhibit.NewInhibitor(e.alerts, conf.InhibitRules, e.options.Logger, eventrecorder.NopRecorder())
	intervals := map[string][]timeinterval.TimeInterval{}
	for _, one := range conf.MuteTimeIntervals {
		intervals[one.Name] = one.TimeIntervals
	}
	for _, one := range conf.TimeIntervals {
		intervals[one.Name] = one.TimeIntervals
	}
	pipeline := e.pipeline.New(receivers, func() time.Duration { return 0 }, next.inhibitor, e.silencer,
		timeinterval.NewIntervener(intervals), e.groups, e.log, nil)
	next.dispatcher = dispatch.NewDispatcher(e.alerts, next.route, &stage{inner: pipeline, engine: e, gate: next.gate},
		e.groups, func(d time.Duration) time.Duration { return max(d, notify.MinTimeout) }, 30*time.Second, limit(e.options.MaxGroups),
		e.options.Logger, eventrecorder.NopRecorder(), e.dispatcherMetrics, text)

	// The inhibitor knows all alerts before the first notification.
	next.running.Go(next.inhibitor.Run)
	next.inhibitor.WaitForLoading()
	next.running.Go(func() { next.dispatcher.Run(time.Now()) })
	next.dispatcher.WaitForLoading()
	return next, nil
}

// limit implements dispatch.Limits.
type limit int

func (l limit) MaxNumberOfAggregationGroups() int { return int(l) }

// stage is a generation's pipeline behind its gate.
type stage struct {
	inner  notify.Stage
	engine *Engine
	gate   *gate
}

// Exec implements notify.Stage. A notification that has begun ends, though its generation
// is stopped; one that begins later does not.
func (s *stage) Exec(ctx context.Context, l *slog.Logger, some ...*alert.Alert) (context.Context, []*alert.Alert, error) {
	inner, done, ok := s.gate.enter(ctx)
	if !ok {
		return ctx, nil, context.Canceled
	}
	defer done()
	_, out, err := s.inner.Exec(inner, l, some...)
	if err == nil {
		s.engine.flushed(some)
	}
	return ctx, out, err
}

// gate counts what is in flight.
type gate struct {
	mutex  sync.Mutex
	closed bool
	count  sync.WaitGroup
	ctx    context.Context //nolint:containedctx // ends what is in flight when the drain is over
	cancel context.CancelFunc
}

func newGate() *gate {
	ctx, cancel := context.WithCancel(context.Background())
	return &gate{ctx: ctx, cancel: cancel}
}

// enter returns a context with the values and the deadline of ctx that ends with the gate
// and not with ctx.
func (g *gate) enter(ctx context.Context) (inner context.Context, done func(), ok bool) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if g.closed {
		return nil, nil, false
	}
	g.count.Add(1)
	inner = context.WithoutCancel(ctx)
	var cancel context.CancelFunc
	if deadline, has := ctx.Deadline(); has {
		inner, cancel = context.WithDeadline(inner, deadline)
	} else {
		inner, cancel = context.WithCancel(inner)
	}
	stop := context.AfterFunc(g.ctx, cancel)
	return inner, func() { stop(); cancel(); g.count.Done() }, true
}

func (g *gate) close() {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.closed = true
}

// drain waits for what is in flight, and cancels it after a time.
func (g *gate) drain(limit time.Duration) {
	timer := time.AfterFunc(limit, g.cancel)
	g.count.Wait()
	timer.Stop()
	g.cancel()
}

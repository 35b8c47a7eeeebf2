// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/confmap"
	"go.uber.org/zap"
	"go.yaml.in/yaml/v3"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/engine"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/confduration"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/configcheck"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/regularfile"
)

// maxRulesFile bounds a rules file, in bytes.
const maxRulesFile = 1 << 20

// rulesFile is the content of a rules file.
type rulesFile struct {
	Rules []RuleConfig `mapstructure:"rules"`
}

// Unmarshal rejects durations without a unit.
func (f *rulesFile) Unmarshal(conf *confmap.Conf) error { return confduration.Unmarshal(conf, f) }

// withRulesOf returns the configuration with the rules of its rules file beside its own. Its
// errors do not name the file.
func (c *Config) withRulesOf(text []byte) (*Config, error) {
	conf, err := confOf(text)
	if err != nil {
		return nil, err
	}
	var file rulesFile
	if err = conf.Unmarshal(&file); err != nil {
		return nil, configcheck.ExplainDecoding(conf.ToStringMap(), &file, err)
	}
	if len(file.Rules) == 0 {
		return nil, errors.New("rules: there must be at least one")
	}
	merged := *c
	merged.Rules = slices.Concat(c.Rules, file.Rules)
	p := &problems{}
	merged.validateRules(p)
	return &merged, errors.Join(p.errs...)
}

// confOf parses the text of a rules file. The Collector reads what is not valid YAML as a text.
func confOf(text []byte) (*confmap.Conf, error) {
	var document any
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("not valid YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	retrieved, err := confmap.NewRetrievedFromYAML(text)
	if err != nil {
		return nil, err
	}
	conf, err := retrieved.AsConf()
	if err != nil {
		return nil, errors.New("must be a map with the key rules")
	}
	return conf, nil
}

// rulesInForce are the contents of rules files that this process has applied. A restart of
// the pipelines, as after a reload that failed, keeps them in force like a running evaluator.
var rulesInForce regularfile.InForce[[]byte]

// effective returns the configuration with the rules of its rules file, and the content of
// that file; where it is not valid, with the last good one of this process.
func (c *Config) effective() (*Config, []byte, error) {
	if c.RulesFile == "" {
		return c, nil, nil
	}
	merged, text, err := c.withRulesFile()
	if err == nil {
		return merged, text, nil
	}
	if kept, ok := rulesInForce.Of(c.RulesFile); ok {
		if merged, errKept := c.withRulesOf(kept); errKept == nil {
			return merged, kept, nil // the watch reports the file
		}
	}
	return nil, nil, err
}

func (c *Config) withRulesFile() (*Config, []byte, error) {
	text, err := regularfile.Read(c.RulesFile, maxRulesFile)
	if err != nil {
		return nil, nil, fmt.Errorf("rules_file: %w", err)
	}
	merged, err := c.withRulesOf(text)
	if err != nil {
		return nil, nil, fmt.Errorf("rules_file: %s: %w", c.RulesFile, err)
	}
	return merged, text, nil
}

// ruleSet is what an evaluator derives from a configuration of rules.
type ruleSet struct {
	config    *Config
	rules     []*engine.Rule
	templates map[string]*ruleTemplate
	wanted    map[string]bool // metrics that a rule uses
	files     []*calendarFile
	drops     *unreportedDrops
}

func newRuleSet(config *Config, logger *zap.Logger) (*ruleSet, error) {
	rules, files, err := config.rules()
	if err != nil {
		return nil, err
	}
	templates, err := config.ruleTemplates()
	if err != nil {
		return nil, err
	}
	set := &ruleSet{config: config, rules: rules, templates: templates, files: files, wanted: map[string]bool{}, drops: newUnreportedDrops(rules, logger)}
	for _, r := range rules {
		set.wanted[r.Metric] = true
	}
	if len(set.drops.rules) > 0 {
		set.wanted[closedMetric] = true
	}
	return set, nil
}

// rulesWatch is the state of the watched rules file. It belongs to one goroutine.
type rulesWatch struct {
	applied []byte // content of the rules in force
	latest  []byte // content of the latest read
	failure string // of the latest attempt, so that it is logged once
}

// readRules applies the rules file when it has changed, between two batches. Content is
// applied once two reads have returned it, so that a file that is being written is not
// applied in part. A file that is not valid leaves the last good rules in force.
func (e *evaluator) readRules(ctx context.Context) {
	if e.config.RulesFile == "" {
		return
	}
	text, err := regularfile.Read(e.config.RulesFile, maxRulesFile)
	if err != nil {
		e.rulesFailed(ctx, err)
		return
	}
	stable := bytes.Equal(text, e.watch.latest)
	e.watch.latest = text
	switch {
	case !stable:
	case bytes.Equal(text, e.watch.applied):
		e.rulesGood()
	default:
		if err := e.applyRules(ctx, text); err != nil {
			e.rulesFailed(ctx, fmt.Errorf("%s: %w", e.config.RulesFile, err))
			return
		}
		e.watch.applied = text
		e.rulesGood()
	}
}

// applyRules puts the rules of a file into force.
func (e *evaluator) applyRules(ctx context.Context, text []byte) error {
	config, err := e.config.withRulesOf(text)
	if err != nil {
		return err
	}
	set, err := newRuleSet(config, e.logger)
	if err != nil {
		return err
	}
	e.beat.want(set.wanted)
	e.readCalendarsOf(ctx, set) // they are in force with the first window
	e.mutex.Lock()
	defer e.mutex.Unlock()
	added, changed, removed := difference(e.set.config.Rules, config.Rules)
	out := e.engine.Replace(set.rules)
	old := e.set.templates
	for name, template := range old { // for the alerts of removed rules
		if set.templates[name] == nil {
			set.templates[name] = template
		}
	}
	e.set = set
	now := time.Now()
	e.commit(ctx, out, now)
	for _, name := range removed {
		delete(set.templates, name)
	}
	rulesInForce.Keep(e.config.RulesFile, text)
	e.telemetry.AlertRulesReloads.Add(ctx, 1)
	e.logger.Info("Rules file applied", zap.String("rules_file", e.config.RulesFile), zap.Strings("added", added), zap.Strings("changed", changed),
		zap.Strings("removed", removed), zap.Int("resolved_alerts", len(out.Alerts)))
	config.logWarnings(e.logger)
	return nil
}

// difference returns the names of rules that were added, changed and removed.
func difference(before, after []RuleConfig) (added, changed, removed []string) {
	old := map[string]*RuleConfig{}
	for i := range before {
		old[before[i].Name] = &before[i]
	}
	for i := range after {
		name := after[i].Name
		switch was, known := old[name]; {
		case !known:
			added = append(added, name)
		case !reflect.DeepEqual(was, &after[i]):
			changed = append(changed, name)
		}
		delete(old, name)
	}
	for i := range before {
		if _, left := old[before[i].Name]; left {
			removed = append(removed, before[i].Name)
		}
	}
	return added, changed, removed
}

func (e *evaluator) rulesFailed(ctx context.Context, err error) {
	e.telemetry.AlertRulesFailures.Add(ctx, 1)
	if e.watch.failure == err.Error() {
		return
	}
	e.watch.failure = err.Error()
	e.logger.Error("Rules file not valid; the last good rules stay in force", zap.Error(err))
	e.report(componentstatus.NewRecoverableErrorEvent(fmt.Errorf("rules_file: %w; the last good rules stay in force", err)))
}

func (e *evaluator) rulesGood() {
	if e.watch.failure == "" {
		return
	}
	e.watch.failure = ""
	e.logger.Info("Rules file is valid again")
	e.mutex.Lock()
	failing := e.checkpoints != nil && e.checkpoints.Failing()
	e.mutex.Unlock()
	if !failing {
		e.report(componentstatus.NewEvent(componentstatus.StatusOK))
	}
}

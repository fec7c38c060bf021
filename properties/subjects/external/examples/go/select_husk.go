package main

import "encoding/json"

type huskPod struct {
	Metadata struct {
		Namespace       string            `json:"namespace"`
		Name            string            `json:"name"`
		UID             string            `json:"uid"`
		ResourceVersion string            `json:"resourceVersion"`
		Labels          map[string]string `json:"labels"`
	} `json:"metadata"`
	Status struct {
		Phase string `json:"phase"`
		PodIP string `json:"podIP"`
	} `json:"status"`
}

type selectedPod struct {
	Namespace       string `json:"namespace"`
	Name            string `json:"name"`
	UID             string `json:"uid"`
	ResourceVersion string `json:"resourceVersion"`
	Address         string `json:"address"`
}

type refusal struct {
	Pod  string `json:"pod"`
	Rule string `json:"rule"`
}

type huskOutput struct {
	Verdict  string       `json:"verdict"`
	Pod      *selectedPod `json:"pod"`
	Refusals []refusal    `json:"refusals"`
	Rule     string       `json:"rule"`
}

// bindSelectHusk goes by labels, as a first version does: whoever may create pods plants a decoy.
func bindSelectHusk(json.RawMessage) (decide, error) {
	return func(input json.RawMessage) (any, error) {
		var asked struct {
			Pool struct {
				Name string `json:"name"`
			} `json:"pool"`
			Pods []json.RawMessage `json:"pods"`
		}
		if err := json.Unmarshal(input, &asked); err != nil {
			return nil, err
		}
		return selectHusk(asked.Pool.Name, asked.Pods), nil
	}, nil
}

func selectHusk(pool string, pods []json.RawMessage) huskOutput {
	refusals := []refusal{}
	for _, raw := range pods {
		var pod huskPod
		if err := json.Unmarshal(raw, &pod); err != nil {
			refusals = append(refusals, refusal{Pod: "?", Rule: "no pod"})
			continue
		}
		meta := pod.Metadata
		isHusk := meta.Labels["mitos.run/husk"] == "true" && meta.Labels["mitos.run/pool"] == pool
		if !isHusk || pod.Status.Phase != "Running" || pod.Status.PodIP == "" {
			refusals = append(refusals, refusal{Pod: meta.Namespace + "/" + meta.Name, Rule: "no running husk"})
			continue
		}
		selected := selectedPod{meta.Namespace, meta.Name, meta.UID, meta.ResourceVersion, pod.Status.PodIP}
		return huskOutput{Verdict: "select", Pod: &selected, Refusals: refusals, Rule: "labels"}
	}
	return huskOutput{Verdict: "refuse", Refusals: refusals, Rule: "no pod"}
}

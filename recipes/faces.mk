# Every net for faces, from nothing:  make -j2 faces DATA=data [OUT=faces]      (90 minutes of processor time, an hour on two cores)
#
# DATA holds faces/portraits, pristine, camera, and in weights the official files of MTCNN and RFB-320, which only label pictures.
# What is made lies in OUT. A step whose file exists is not done again; a net that is done ships at once (recipes/ship.py), because
# the next steps ask it; `git status` says afterwards whether the files that ship are still the same.
OUT ?= faces
PYTHON ?= python3
export OMP_NUM_THREADS = 1
export ASSAY_WEIGHTS = $(abspath $(DATA))/weights
RUN = $(PYTHON) recipes
SHIP = $(RUN)/ship.py $@
PORTRAITS = $(DATA)/faces/portraits
LABELS = $(OUT)/labels.json
NETS = face_finder face_points face_check face_components face_recogniser vit_fiqa_assay landmark_forest fiqa_assay portrait_assay
NEEDED = faces/portraits pristine/camera pristine/kodak pristine/gb82 camera/native_crop $(addprefix weights/,$(TEACHERS))
TEACHERS = mtcnn_facenet_pytorch_pnet.pt mtcnn_facenet_pytorch_rnet.pt mtcnn_facenet_pytorch_onet.pt ultralight_face_version-RFB-320.onnx
MISSING = $(foreach n,$(NEEDED),$(if $(wildcard $(DATA)/$(n)),,$(n)))

.PHONY: faces
.DELETE_ON_ERROR:

faces: $(NETS:%=$(OUT)/%.safetensors)
	$(PYTHON) -m assay.catalog

$(LABELS):
	$(if $(MISSING),@echo "DATA ($(DATA)) must be a folder that holds $(MISSING): give it as DATA=folder." >&2; exit 1)
	@mkdir -p $(OUT)
	$(RUN)/face_finder_data.py $(DATA) --out $@

# the finder, and what is fitted on what it finds
$(OUT)/face_finder.safetensors: $(LABELS)
	$(RUN)/face_finder.py $(DATA) $(LABELS) --out $(OUT)/finder
	$(RUN)/face_finder.py $(DATA) $(LABELS) --export $(OUT)/finder --out $@
	$(SHIP)

$(OUT)/face_points.safetensors: $(OUT)/face_finder.safetensors
	$(RUN)/face_points.py $(DATA) $(LABELS) --out $@
	$(SHIP)

$(OUT)/face_check.safetensors: $(OUT)/face_points.safetensors
	$(RUN)/face_check.py $(DATA) $(LABELS) --out $@
	$(SHIP)

# judges of how a face looks: the second begins as the first
$(OUT)/fiqa_bank.done: $(LABELS)
	$(RUN)/fiqa_data.py $(PORTRAITS) --faces $(LABELS) --out $(OUT)/fiqa_bank --workers 1
	@touch $@

$(OUT)/fiqa_assay.safetensors: $(OUT)/fiqa_bank.done
	$(RUN)/fiqa.py $(OUT)/fiqa_bank --out $(OUT)/fiqa
	$(RUN)/fiqa.py $(OUT)/fiqa_bank --out $(OUT)/fiqa --export $@
	$(SHIP)

$(OUT)/portrait_bank.done: $(LABELS)
	$(RUN)/portrait.py data $(PORTRAITS) --faces $(LABELS) --out $(OUT)/portrait_bank --workers 1
	@touch $@

$(OUT)/portrait_assay.safetensors: $(OUT)/portrait_bank.done $(OUT)/fiqa_assay.safetensors
	$(RUN)/portrait.py train $(OUT)/portrait_bank --out $(OUT)/portrait
	$(RUN)/portrait.py export $(OUT)/portrait --out $@
	$(SHIP)

# what a matcher can use, and judges taught by it
$(OUT)/recogniser.pt: $(LABELS)
	$(RUN)/face_recogniser.py $(DATA) --labels $(LABELS) --out $@

$(OUT)/face_recogniser.safetensors: $(OUT)/recogniser.pt
	$(RUN)/face_recogniser.py --export $(OUT)/recogniser.pt --out $@
	$(SHIP)

$(OUT)/vit_fiqa_assay.safetensors: $(OUT)/recogniser.pt
	$(RUN)/vit_fiqa.py $(DATA) --labels $(LABELS) --teacher $(OUT)/recogniser.pt --out $(OUT)/vit_fiqa.pt
	$(RUN)/vit_fiqa.py --export $(OUT)/vit_fiqa.pt --out $@
	$(SHIP)

$(OUT)/landmark_forest.safetensors: $(OUT)/face_recogniser.safetensors
	$(RUN)/landmark_forest.py $(DATA) --labels $(LABELS) --out $@
	$(SHIP)

$(OUT)/face_components.safetensors: $(LABELS)
	$(RUN)/face_components.py $(PORTRAITS) --points $(LABELS) --out $@
	$(SHIP)

"""Families of transformers that the sweep does not judge, and why."""

VERSION = "5.24.0"

# Their settings do not follow from the names of the fields: parts of a model with configurations of
# their own, sizes in lists, sizes that must agree.
_NOT_TINY = """
    align apertus1p5 aria audioflamingo3 autoformer aya_vision bark bit blip-2 blt bridgetower
    canary chameleon cohere2_vision cohere_asr cohere_compass cohere_compass_text convnext
    convnextv2 cosmos3_edge cosmos3_edge_text cosmos3_omni csm cvt d_fine dbrx deepseek_ocr2
    deepseek_vl deepseek_vl_hybrid deimv2 depth_pro dia diffusion_gemma dinov3_convnext
    donut-swin dots3_note dots3_note_text edgetam_video efficientloftr efficientnet encodec
    ernie4_5_vl_moe esmc exaone4_5 falcon_h1 fastspeech2_conformer_with_hifigan flaubert
    florence2 fun_asr_nano fuyu gemma3 gemma4_unified glm46v glm4v glm4v_moe glm4v_moe_vision
    glm4v_vision glm5_next glm5_next_text glm5_next_vision glm_ocr glm_ocr_vision glmasr glmga
    glpn got_ocr2 gpt_neo gradium_phonon_tts granite4_vision granite_docling
    granite_docling_vision granite_speech granite_speech5_ctc granite_speech5_encoder
    granite_speech_plus grounding-dino hgnet_v2 hiera hy_v4_vl hy_v4_vl_text
    hyperclovax_vision_v2 idefics2 idefics3 informer inkling2 inkling2_loop inkling2_vision
    inkling_mm_model instructblip instructblipvideo internvl janus kimi_k25
    kyutai_speech_to_text levit lfm2_moe lfm2_vl lfm3_vl lighton_ocr llava llava_next
    llava_next_video llava_onevision luke mamba2 mask2former maskformer maskformer-swin mimi
    mimi_decoder mimi_encoder minicpm_ocr minicpmv4_6 minicpmv4_7 mistral3 mistral_large4
    mm-grounding-dino mobilenet_v1 mobilenet_v2 mobilevit mobilevitv2 modernbert-decoder
    modernvbert molmo2 moonshine_streaming moshi moss_transcribe_diarize muse_glimmer muse_spark
    muse_spark_audio musicflamingo nemo_speechlm nemotron3_5_asr nemotron3_5_transcribe_audio
    nemotron3_5_transcribe_word_timestamp nemotron3_diarization neomme neucodec omniasr
    omniasr_ctc oneformer ovis2 paligemma pe_audio pe_audio_encoder perceiver pi0 pocket_tts
    pocket_tts_audio_tokenizer pocket_tts_audio_tokenizer_decoder poolformer pp_doclayout_v3
    pp_doclayout_v4 pp_ocrv5_mobile_rec pp_ocrv5_server_rec pp_ocrv6_medium_det
    pp_ocrv6_small_det pp_ocrv6_small_rec pp_ocrv6_tiny_rec pvt pvt_v2 qianfan_ocr qwen2_audio
    qwen3_asr reformer rf_detr roc_bert rt_detr rt_detr_v2 sam2 sam2_hiera_det_model sam2_video
    sam2_vision_model sam3 sam3_lite_text sam3_tracker sam3_tracker_video sam3_video
    sam3_vision_model seamless_m4t seamless_m4t_v2 segformer smolvlm swiftformer swin2sr swinv2
    t5gemma2 t5gemma2_encoder textnet time_series_transformer tvp ultravbert unispeech-sat
    univnet uvdoc vibevoice vibevoice_acoustic_tokenizer vibevoice_acoustic_tokenizer_decoder
    vibevoice_acoustic_tokenizer_encoder vibevoice_asr video_llama_3 video_llava vipllava
    vision-text-dual-encoder vits vjepa2 voxtral voxtral_realtime voxtral_realtime_text
    wavtokenizer wavtokenizer_encoder xclip xcodec xcodec2 xlm zamba zamba2 zaya
"""

# They ask for packages that are not installed.
_PACKAGES = """
    conditional_detr dab-detr deformable_detr detr dinat edgetam edgetam_vision_model fast_vlm
    gemma3n gemma3n_vision higgs_audio_v2_tokenizer layoutlmv2 omdet-turbo pe_audio_video
    pe_audio_video_encoder pe_video pe_video_encoder perception_lm table-transformer
    timm_backbone timm_wrapper
"""

# Their forward takes more than tokens, an image or a wave, or other sizes of these.
_OTHER_INPUTS = """
    aimv2 altclip audio-spectrogram-transformer audioflamingo3_encoder axk1 axk2 bailing_hybrid
    bamba blip blip_2_qformer bros chinese_clip clap clip clip_text_model clipseg clvp
    cohere_compass_vision cosmos3_edge_vision dac decision_transformer deepseek_v2 deepseek_v3
    deepseek_v32 ernie4_5_moe exaone4_5_vision fun_asr_nano_encoder gemma3n_audio gemma4_audio
    gemma4_vision glm4_moe_lite glm4v_moe_text glm4v_text glm_image glm_image_text
    glm_image_vision glm_image_vqmodel glm_moe_dsa glm_ocr_text glmasr_encoder granitemoehybrid
    groupvit hunyuan_vl hunyuan_vl_text hunyuan_vl_vision hy_v4_vl_vision idefics jamba
    kimi_k25_vision kimi_linear kosmos-2 lasr_ctc lasr_encoder layoutlmv3 lfm3 lfm3_vl_vision
    lightglue lilt longcat_flash lw_detr lxmert metaclip_2 mgp-str minicpm3 minicpm_ocr_vision
    minicpmv4_7_vision mistral4 mistral_large4_text moonshine moss_transcribe_diarize_audio
    muse_glimmer_assistant muse_glimmer_vision muse_spark_vision musicgen musicgen_melody
    nemotron3_5_transcribe_asr_audio nemotron3_diarization_audio nemotron_asr_streaming
    nemotron_asr_streaming_encoder omniasr_audio owlv2 owlvit paddleocr_vl parakeet_ctc
    parakeet_encoder parakeet_rnnt parakeet_tdt patchtsmixer patchtst
    pocket_tts_audio_tokenizer_encoder qwen2_5_omni_thinker qwen2_5_vl qwen2_5_vl_text
    qwen2_5_vl_vision qwen2_audio_encoder qwen2_vl qwen2_vl_text qwen3_5 qwen3_5_moe
    qwen3_5_moe_text qwen3_5_moe_vision qwen3_5_text qwen3_5_vision qwen3_asr_encoder qwen3_next
    qwen3_vl_moe_vision qwen3_vl_vision qwen4_exp qwen4_exp_text qwen4_exp_vision
    recurrent_gemma sam sam_hq sarvam_mla seggpt siglip siglip2 siglip2_vision_model
    speech_to_text speecht5 swin timesfm timesfm2_5 timesformer udop video_llama_3_vision
    videomae videoprism videoprism_vision_model vilt vivit voxtral_encoder
    voxtral_realtime_encoder wav2vec2-bert xlstm xmod youtu
"""

# They are refused with the tensors that tokens alone do not reach (or heads that grow): declare
# these, or give an example that reaches them.
_UNREAD = """
    deepseek_v4 dinov2 dinov2_with_registers dinov3_vit evolla flava gemma4 git
    inkling2_loop_text kosmos-2.5 mobilebert phi4_multimodal prophetnet step3p7 tipsv2
    tipsv2_vision_model unlimited_ocr wav2vec2-conformer xlnet
"""

UNREAD = dict.fromkeys(_UNREAD.split(), "does not reach|one head width|wanted one role|Declare")
NOT_JUDGED = frozenset((_NOT_TINY + _PACKAGES + _OTHER_INPUTS + _UNREAD).split())
